package filecache

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// A bundle is a tar file of the files of one key. Its name says what it must hash
// to, and is different each time, so that removing an old one never removes a new
// one: KEY-SUM-RANDOM.
const temporary = "tmp-"

// errDamaged says that a bundle is not what was written.
var errDamaged = errors.New("a kept file does not match its hash")

func parseName(name string) (id, sum string, ok bool) {
	p := strings.Split(name, "-")
	if len(p) != 3 || len(p[0]) != 64 || len(p[1]) != 64 || p[2] == "" {
		return "", "", false
	}
	for _, h := range p[:2] {
		if _, err := hex.DecodeString(h); err != nil {
			return "", "", false
		}
	}
	return p[0], p[1], true
}

// write keeps files as the bundle of id.
func (c *Cache) write(ctx context.Context, id string, files fs.FS) (_ *entry, err error) {
	unique := rand.Text()
	tmp := temporary + unique
	f, err := c.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	defer func() {
		f.Close() // the second time, if all went well
		if err != nil {
			_ = c.root.Remove(tmp)
		}
	}()
	sum := sha256.New()
	counted := &counter{}
	if err := pack(ctx, io.MultiWriter(f, sum, counted), files); err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	e := &entry{id: id, sum: hex.EncodeToString(sum.Sum(nil)), size: counted.n}
	e.name = id + "-" + e.sum + "-" + unique
	if err := c.root.Rename(tmp, e.name); err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	return e, nil
}

// pack writes the regular files of files as a tar file.
func pack(ctx context.Context, w io.Writer, files fs.FS) error {
	t := tar.NewWriter(w)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), Format: tar.FormatPAX}); err != nil {
			return err
		}
		f, err := files.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(t, reader{ctx, f})
		return err
	})
	if err != nil {
		return err
	}
	return t.Close()
}

// unpack writes the files of e to into, after the whole bundle has been hashed.
func (c *Cache) unpack(ctx context.Context, e *entry, into *os.Root) error {
	f, err := c.root.Open(e.name)
	if errors.Is(err, fs.ErrNotExist) {
		return errDamaged
	}
	if err != nil {
		return fmt.Errorf("file cache: %w", err)
	}
	defer f.Close()
	if err := verify(reader{ctx, f}, e.sum); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("file cache: %w", err)
	}
	sum := sha256.New()
	from := io.TeeReader(reader{ctx, f}, sum)
	for t := tar.NewReader(from); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("file cache: %w", err)
		}
		if err := place(into, h, t); err != nil {
			return err
		}
	}
	// What was read the second time is what was judged the first time.
	return verify(from, e.sum, sum)
}

// place writes one file of a bundle.
func place(into *os.Root, h *tar.Header, from io.Reader) error {
	if !fs.ValidPath(h.Name) || h.Typeflag != tar.TypeReg {
		return fmt.Errorf("file cache: %q is no name of a file", h.Name)
	}
	if dir := path.Dir(h.Name); dir != "." {
		if err := into.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	mode := fs.FileMode(h.Mode).Perm() | 0o400
	f, err := into.OpenFile(h.Name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// verify reads the rest of from and compares the hash: of that rest, or the one in
// sums, which sees everything that is read.
func verify(from io.Reader, want string, sums ...interface{ Sum([]byte) []byte }) error {
	rest := sha256.New()
	if _, err := io.Copy(rest, from); err != nil {
		return err
	}
	got := rest.Sum(nil)
	if len(sums) > 0 {
		got = sums[0].Sum(nil)
	}
	if hex.EncodeToString(got) != want {
		return errDamaged
	}
	return nil
}

// reader ends with a context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

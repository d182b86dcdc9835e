package filecache

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// An entry is a directory with the files of one key and an index of them. The name of
// the directory, KEY-SUM-RANDOM, has the hash of the index and is different each time,
// so that removing an old entry never removes a new one. It is made under a temporary
// name and renamed when it is complete.
const (
	temporary = "tmp-"
	filesDir  = "files"
	indexFile = "index"
)

// errDamaged says that an entry is not what was written.
var errDamaged = errors.New("a kept file does not match its hash")

// file is a line of an index, JSON.
type file struct {
	Name string      `json:"name"`
	Mode fs.FileMode `json:"mode"`
	Size int64       `json:"size"`
	Sum  string      `json:"sum"` // SHA-256, in hexadecimal
}

// parseName splits the name of an entry's directory.
func parseName(name string) (id, sum, unique string, ok bool) {
	p := strings.Split(name, "-")
	if len(p) != 3 || len(p[0]) != 64 || len(p[1]) != 64 || p[2] == "" {
		return "", "", "", false
	}
	for _, h := range p[:2] {
		if _, err := hex.DecodeString(h); err != nil {
			return "", "", "", false
		}
	}
	return p[0], p[1], p[2], true
}

// create fetches the files of id into a new entry.
func (c *Cache) create(ctx context.Context, id string, fetch Fetch) (_ *entry, err error) {
	unique := rand.Text()
	tmp := temporary + unique
	if err := c.root.MkdirAll(path.Join(tmp, filesDir), 0o700); err != nil {
		return nil, diskError(err)
	}
	defer func() {
		if err != nil {
			_ = c.root.RemoveAll(tmp)
		}
	}()
	into, err := c.root.OpenRoot(path.Join(tmp, filesDir))
	if err != nil {
		return nil, diskError(err)
	}
	defer into.Close()
	if err := fetch(ctx, into); err != nil {
		return nil, err
	}
	files, err := hashFiles(ctx, into)
	if err != nil {
		return nil, diskError(err)
	}
	index := encodeIndex(files)
	if err := c.root.WriteFile(path.Join(tmp, indexFile), index, 0o600); err != nil {
		return nil, diskError(err)
	}
	sum := sha256.Sum256(index)
	e := newEntry(id, hex.EncodeToString(sum[:]), unique, files, len(index))
	if err := c.root.Rename(tmp, e.name); err != nil {
		return nil, diskError(err)
	}
	return e, nil
}

func newEntry(id, sum, unique string, files []file, index int) *entry {
	e := &entry{id: id, name: id + "-" + sum + "-" + unique, files: files, size: int64(index)}
	for _, f := range files {
		e.size += f.Size
	}
	return e
}

// hashFiles lists the regular files in dir.
func hashFiles(ctx context.Context, dir *os.Root) (files []file, err error) {
	err = fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		from, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, reader{ctx, from})
		files = append(files, file{Name: name, Mode: info.Mode().Perm(), Size: n, Sum: hex.EncodeToString(sum.Sum(nil))})
		return err
	})
	return files, err
}

func encodeIndex(files []file) []byte {
	var b bytes.Buffer
	for _, f := range files {
		line, _ := json.Marshal(f) // strings and numbers: no error is possible
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// read reads an entry that an earlier cache left.
func (c *Cache) read(name string) (*entry, error) {
	id, sum, unique, ok := parseName(name)
	if !ok {
		return nil, errDamaged
	}
	index, err := c.root.ReadFile(path.Join(name, indexFile))
	if err != nil {
		return nil, err
	}
	if got := sha256.Sum256(index); hex.EncodeToString(got[:]) != sum {
		return nil, errDamaged
	}
	var files []file
	for lines := bufio.NewScanner(bytes.NewReader(index)); lines.Scan(); {
		var f file
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return nil, errDamaged
		}
		files = append(files, f)
	}
	return newEntry(id, sum, unique, files, len(index)), nil
}

// copyOut copies the files of e that want accepts to into. After [errDamaged] into may
// hold a file that is not what was written.
func (c *Cache) copyOut(ctx context.Context, e *entry, into *os.Root, want func(name string) bool) error {
	for _, f := range e.files {
		if want != nil && !want(f.Name) {
			continue
		}
		if err := c.copyFile(ctx, e, f, into); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cache) copyFile(ctx context.Context, e *entry, f file, into *os.Root) error {
	from, err := c.root.Open(path.Join(e.name, filesDir, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return errDamaged
	}
	if err != nil {
		return diskError(err)
	}
	defer from.Close()
	if err := into.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return err
	}
	to, err := into.OpenFile(f.Name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, f.Mode|0o400)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(to, io.TeeReader(reader{ctx, from}, sum))
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	if n != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.Sum {
		return errDamaged
	}
	return nil
}

// diskError returns an error of the cache's directory without the names in it, which are
// different each time.
func diskError(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	return fmt.Errorf("file cache: %w", err)
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

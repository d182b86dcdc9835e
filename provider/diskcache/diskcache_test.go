package diskcache_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// faults counts what a cache reports.
type faults struct {
	mu  sync.Mutex
	all []error
}

func (f *faults) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err)
}

func (f *faults) take() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.all
	f.all = nil
	return all
}

func open(t testing.TB, dir string, max int64) (*diskcache.Cache, *faults) {
	t.Helper()
	f := &faults{}
	c, err := diskcache.Open(diskcache.Config{Dir: dir, MaxBytes: max, OnError: f.add})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, f
}

// content returns some content, different for each n, and its digest.
func content(n, size int) ([]byte, string) {
	b := bytes.Repeat([]byte(fmt.Sprintf("content %06d ", n)), size/15+1)[:size]
	return b, fmt.Sprintf("sha256:%x", sha256.Sum256(b))
}

// files returns the files below dir, by name relative to it, but for that which marks it.
func files(t testing.TB, dir string) map[string]fs.FileInfo {
	t.Helper()
	all := make(map[string]fs.FileInfo)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "mirrorchain-disk-cache" {
			return err
		}
		info, err := d.Info()
		name, _ := filepath.Rel(dir, path)
		all[name] = info
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	c, f := open(t, dir, 0)
	b, digest := content(1, 10_000)
	long := fmt.Sprintf("sha512:%x", sha512.Sum512(b))
	if _, ok := c.Get(digest); ok {
		t.Error("there before it was kept")
	}
	c.Put(digest, b)
	c.Put(long, b)
	c.State().Put("who", []byte("first"))
	c.State().Put("who", []byte("second"))
	c.State().Put("nothing", nil)

	other, g := open(t, dir, 0) // another process, or the next one
	for _, c := range []*diskcache.Cache{c, other} {
		for _, d := range []string{digest, long} {
			if got, ok := c.Get(d); !ok || !bytes.Equal(got, b) {
				t.Errorf("%s: %d bytes, %v", d, len(got), ok)
			}
		}
		if v, ok := c.State().Get("who"); !ok || string(v) != "second" {
			t.Errorf("entry %q, %v; want the last one", v, ok)
		}
		if v, ok := c.State().Get("nothing"); !ok || len(v) != 0 {
			t.Errorf("an empty entry is %q, %v", v, ok)
		}
		if v, ok := c.State().Get("nobody"); ok {
			t.Errorf("an entry that nobody made: %q", v)
		}
	}
	if all := append(f.take(), g.take()...); len(all) > 0 {
		t.Errorf("reported %v", all)
	}
	for name, info := range files(t, dir) {
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %#o; want 0600", name, info.Mode().Perm())
		}
	}
	for _, d := range []string{"", "blobs", "state"} {
		if info, err := os.Stat(filepath.Join(dir, d)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; want 0700", d, info.Mode(), err)
		}
	}
}

func TestPutRefuses(t *testing.T) {
	dir := t.TempDir()
	c, f := open(t, dir, 0)
	b, digest := content(1, 100)
	_, wrong := content(2, 100)
	for _, d := range []string{"", "sha256:", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "../" + digest, strings.ToUpper(digest), "sha256:" + strings.Repeat("/", 64)} {
		c.Put(d, b)
		if _, ok := c.Get(d); ok {
			t.Errorf("%q is kept", d)
		}
	}
	if n := len(f.take()); n > 0 {
		t.Errorf("%d faults of the disk, for digests that are not kept", n)
	}
	c.Put(wrong, b)
	if _, ok := c.Get(wrong); ok || len(f.take()) != 1 {
		t.Error("content that does not match its digest is kept, or nobody is told")
	}
	c.State().Put("large", make([]byte, diskcache.MaxValue+1))
	large := make([]byte, 16<<20+1)
	c.Put(fmt.Sprintf("sha256:%x", sha256.Sum256(large)), large)
	if all := files(t, dir); len(all) != 1 { // the key
		t.Errorf("%d files; want the key alone", len(all))
	}
}

// R4, R11: whatever the disk makes of a file, it is never taken for what was written.
func TestDamage(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"first byte":  func(b []byte) []byte { b[0] ^= 1; return b },
		"middle byte": func(b []byte) []byte { b[len(b)/2] ^= 0x80; return b },
		"last byte":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"truncated":   func(b []byte) []byte { return b[:len(b)-1] },
		"empty":       func([]byte) []byte { return nil },
		"longer":      func(b []byte) []byte { return append(b, 0) },
		"zeros":       func(b []byte) []byte { return make([]byte, len(b)) },
		"huge":        func([]byte) []byte { return make([]byte, 16<<20+1) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c, f := open(t, dir, 0)
			b, digest := content(1, 5_000)
			c.Put(digest, b)
			c.State().Put("who", []byte("somebody"))
			for name := range files(t, dir) {
				if name == "state/key" {
					continue
				}
				path := filepath.Join(dir, name)
				was, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, spoil(was), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got, ok := c.Get(digest); ok {
				t.Errorf("content: %d bytes, taken for %d", len(got), len(b))
			}
			if v, ok := c.State().Get("who"); ok {
				t.Errorf("entry %q", v)
			}
			if n := len(f.take()); n != 2 {
				t.Errorf("%d faults reported; want 2", n)
			}
			if n := len(files(t, dir)); n != 1 {
				t.Errorf("%d files; want the key alone", n)
			}
			c.Put(digest, b)
			c.State().Put("who", []byte("somebody"))
			if got, ok := c.Get(digest); !ok || !bytes.Equal(got, b) {
				t.Error("not kept anew")
			}
			if v, ok := c.State().Get("who"); !ok || string(v) != "somebody" {
				t.Error("not put anew")
			}
		})
	}
}

// An entry counts under the key that it was written for, and in its own directory.
func TestNotesStayInPlace(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	c, _ := open(t, dir, 0)
	move := func(from string) {
		t.Helper()
		before := files(t, dir)
		c.State().Put("mine", []byte("mine"))
		for name := range files(t, dir) {
			if before[name] != nil {
				continue
			}
			b, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if v, ok := c.State().Get("mine"); ok {
			t.Errorf("%q is taken for it", v)
		}
	}
	entry := func(dir string, c *diskcache.Cache) string {
		t.Helper()
		c.State().Put("theirs", []byte("theirs"))
		for name := range files(t, dir) {
			if name != "state/key" {
				return filepath.Join(dir, name)
			}
		}
		t.Fatal("no entry")
		return ""
	}
	move(entry(dir, c))
	other, _ := open(t, elsewhere, 0)
	move(entry(elsewhere, other))
}

// Nothing of an entry's key is on the disk, not even a hash that others could make.
func TestKeysStaySecret(t *testing.T) {
	dir := t.TempDir()
	c, _ := open(t, dir, 0)
	const secret = "registry.example hunter2"
	c.State().Put(secret, []byte("v"))
	sum := sha256.Sum256([]byte(secret))
	for name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"hunter2", string(sum[:]), fmt.Sprintf("%x", sum)} {
			if strings.Contains(name+string(b), s) {
				t.Errorf("%s holds %q", name, s)
			}
		}
	}
	// The same key, elsewhere, has another name.
	other := t.TempDir()
	d, _ := open(t, other, 0)
	d.State().Put(secret, []byte("v"))
	there := files(t, other)
	for name := range files(t, dir) {
		if name != "state/key" && there[name] != nil {
			t.Errorf("%s is the same in two directories", name)
		}
	}
}

// What was not used for longest goes, and what is not ours stays.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	const max = 800 << 10 // 700 KiB of it for content
	c, _ := open(t, dir, max)
	foreign := filepath.Join(dir, "blobs", "README")
	if err := os.WriteFile(foreign, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var digests []string
	for n := range 100 {
		b, digest := content(n, 50_000)
		digests = append(digests, digest)
		c.Put(digest, b)
		age(t, filepath.Join(dir, "blobs"), digest, time.Hour-time.Duration(n)*time.Second)
		if _, ok := c.Get(digests[0]); !ok { // which makes it the last used
			t.Fatalf("what is used went after %d", n+1)
		}
		var kept int64
		for name, info := range files(t, dir) {
			if strings.HasPrefix(name, "blobs/sha256-") {
				kept += (info.Size() + 4095) / 4096 * 4096
			}
		}
		if kept > max*7/8 {
			t.Fatalf("%d bytes are kept after %d; want at most %d", kept, n+1, max*7/8)
		}
	}
	for n, d := range digests[1:] {
		_, ok := c.Get(d)
		if last := n+1 >= 95; last && !ok {
			t.Errorf("number %d of 100 is gone; want the last ones kept", n+1)
		} else if n+1 < 80 && ok {
			t.Errorf("number %d of 100 is there; want the first ones gone", n+1)
		}
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("a file that is not ours: %v", err)
	}
	for n := range 100 {
		c.State().Put(fmt.Sprint(n), []byte("v"))
	}
	if n := len(files(t, filepath.Join(dir, "state"))); n > 25+1 {
		t.Errorf("%d entries, of 4 KiB each; want at most 25 in 100 KiB", n-1)
	}
}

// age makes a blob look as if it was used so long ago.
func age(t testing.TB, dir, digest string, d time.Duration) {
	t.Helper()
	at := time.Now().Add(-d)
	if err := os.Chtimes(filepath.Join(dir, strings.Replace(digest, ":", "-", 1)), at, at); err != nil {
		t.Fatal(err)
	}
}

// Many goroutines, several caches, one small directory: whatever is found is right.
func TestConcurrently(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 3 {
		c, f := open(t, dir, 256<<10)
		for g := range 4 {
			wg.Go(func() { use(t, c, g, 150) })
		}
		t.Cleanup(func() {
			for _, err := range f.take() {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// use reads and writes some of 40 blobs and entries, and checks what it finds. It
// returns how many of them were there.
func use(t testing.TB, c *diskcache.Cache, seed, rounds int) (found int) {
	for i := range rounds {
		n := (seed*31 + i*7) % 40
		b, digest := content(n, 20_000)
		if got, ok := c.Get(digest); ok {
			found++
			if !bytes.Equal(got, b) {
				t.Errorf("blob %d is something else", n)
			}
		} else {
			c.Put(digest, b)
		}
		key := fmt.Sprint("entry ", n)
		if v, ok := c.State().Get(key); ok {
			found++
			if string(v) != key {
				t.Errorf("entry %d is %q", n, v)
			}
		} else {
			c.State().Put(key, []byte(key))
		}
	}
	return found
}

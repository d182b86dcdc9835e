package filecache_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/filecache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var image = "sha256:" + strings.Repeat("a", 64)

func open(t *testing.T, dir string, max int64) *filecache.Cache {
	t.Helper()
	c, err := filecache.Open(filecache.Config{Dir: dir, MaxBytes: max})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func root(t *testing.T) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// counting answers with files and counts how often it was asked.
func counting(n *atomic.Int64, files fstest.MapFS) filecache.Fetch {
	return func(_ context.Context, into *os.Root) error {
		n.Add(1)
		return write(into, files)
	}
}

// write writes files to into.
func write(into *os.Root, files fstest.MapFS) error {
	for name, f := range files {
		if err := into.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := into.WriteFile(name, f.Data, f.Mode.Perm()|0o400); err != nil {
			return err
		}
	}
	return nil
}

func sized(n int) fstest.MapFS {
	return fstest.MapFS{"usr/bin/tool": {Data: make([]byte, n), Mode: 0o755}}
}

func key(names ...string) filecache.Key { return filecache.Key{Image: image, Files: names} }

func TestExtract(t *testing.T) {
	c, into, n := open(t, t.TempDir(), 0), root(t), &atomic.Int64{}
	files := fstest.MapFS{
		"usr/bin/tool":               {Data: []byte("tool"), Mode: 0o755},
		"etc/mcc/templates/a/b.yaml": {Data: []byte("b"), Mode: 0o644},
	}
	for _, k := range []filecache.Key{key("usr/bin/tool", "etc/mcc/templates/**"), key("etc/mcc/templates/**", "usr/bin/tool")} {
		if err := c.Extract(t.Context(), k, into, counting(n, files)); err != nil {
			t.Fatal(err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("fetched %d times; want once: the order of names does not matter", n.Load())
	}
	info, err := into.Stat("usr/bin/tool")
	if err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("usr/bin/tool: %v, %v; want it executable", info, err)
	}
	if b, err := into.ReadFile("etc/mcc/templates/a/b.yaml"); err != nil || string(b) != "b" {
		t.Errorf("b.yaml = %q, %v", b, err)
	}
	other := filecache.Key{Image: "sha256:" + strings.Repeat("b", 64), Files: []string{"usr/bin/tool", "etc/mcc/templates/**"}}
	if err := c.Extract(t.Context(), other, into, counting(n, files)); err != nil || n.Load() != 2 {
		t.Errorf("another image: %v, fetched %d times; want a fetch of its own", err, n.Load())
	}
}

func TestSurvivesRestart(t *testing.T) {
	dir, n := t.TempDir(), &atomic.Int64{}
	c := open(t, dir, 0)
	if err := c.Extract(t.Context(), key("a"), root(t), counting(n, sized(100))); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := c.Extract(t.Context(), key("a"), root(t), counting(n, sized(100))); err == nil {
		t.Error("a closed cache answers")
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp-left"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"tmp-left/files": "half", "README": "not ours"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(t, dir, 0).Extract(t.Context(), key("a"), root(t), counting(n, sized(100))); err != nil {
		t.Fatal(err)
	}
	if n.Load() != 1 {
		t.Errorf("fetched %d times; want once: files survive a restart", n.Load())
	}
	if _, err := os.Stat(filepath.Join(dir, "tmp-left")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a half-written entry is still there (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "README")); err != nil {
		t.Errorf("a file of somebody else is gone: %v", err)
	}
}

func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"flipped": func(p string) error {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(p, b, 0o600)
		},
		"truncated": func(p string) error { return os.Truncate(p, 700) },
		"removed":   os.Remove,
		"no entry":  func(p string) error { return os.RemoveAll(filepath.Join(p, "../../../..")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, n := t.TempDir(), &atomic.Int64{}
			c := open(t, dir, 0)
			if err := c.Extract(t.Context(), key("a"), root(t), counting(n, sized(2000))); err != nil {
				t.Fatal(err)
			}
			kept, err := filepath.Glob(filepath.Join(dir, "*-*-*", "files/usr/bin/tool"))
			if err != nil || len(kept) != 1 {
				t.Fatalf("%v, %v; want one file", kept, err)
			}
			if err := damage(kept[0]); err != nil {
				t.Fatal(err)
			}
			into := root(t)
			if err := c.Extract(t.Context(), key("a"), into, counting(n, sized(2000))); err != nil {
				t.Fatal(err)
			}
			if info, err := into.Stat("usr/bin/tool"); err != nil || info.Size() != 2000 {
				t.Errorf("extracted %v, %v", info, err)
			}
			if s := c.Stats(); n.Load() != 2 || s.Damaged != 1 || s.Entries != 1 {
				t.Errorf("fetched %d times, %+v; want a second download and one entry", n.Load(), s)
			}
		})
	}
}

func TestBounded(t *testing.T) {
	dir, n := t.TempDir(), &atomic.Int64{}
	const max = 10_000
	c := open(t, dir, max)
	use := func(name string, size int) {
		t.Helper()
		if err := c.Extract(t.Context(), key(name), root(t), counting(n, sized(size))); err != nil {
			t.Fatal(err)
		}
		if s := c.Stats(); s.Bytes > max {
			t.Errorf("after %s: %d bytes are kept; the bound is %d", name, s.Bytes, max)
		}
	}
	use("a", 4000)
	use("b", 4000)
	use("a", 4000) // used again, so b is the oldest
	use("c", 4000)
	before := n.Load()
	if use("a", 4000); n.Load() != before {
		t.Error("a is gone; want the one that was not used for longest to go")
	}
	if use("b", 4000); n.Load() != before+1 {
		t.Error("b is still there")
	}
	use("huge", 50_000) // more than the bound: served, not kept
	if s := c.Stats(); onDisk(t, dir) != s.Bytes || s.Bytes > max {
		t.Errorf("%d bytes on disk, %d counted; the bound is %d", onDisk(t, dir), s.Bytes, max)
	}
	c.Close()
	if s := open(t, dir, 1).Stats(); s.Bytes != 0 || s.Entries != 0 {
		t.Errorf("opened with a bound of one byte: %+v", s)
	}
}

// onDisk returns the bytes of the files in dir.
func onDisk(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// A caller that has its files has no more than the bound on disk with them: what had to
// go for them is gone already, and not about to go.
func TestBoundHoldsWhenFilesAreThere(t *testing.T) {
	dir := t.TempDir()
	c := open(t, dir, 10_000)
	for i := range 30 {
		f, err := c.Files(t.Context(), key(fmt.Sprint(i)), counting(&atomic.Int64{}, sized(4000)))
		if err != nil {
			t.Fatal(err)
		}
		if got, s := onDisk(t, dir), c.Stats(); got > 10_000 || got != s.Bytes {
			t.Fatalf("after %d: %d bytes on disk, %d counted; the bound is 10000", i, got, s.Bytes)
		}
		f.Close()
	}
}

// Files that are in use stay although the cache is full, and a part of them may be
// copied at a time.
func TestFilesInUse(t *testing.T) {
	dir, n := t.TempDir(), &atomic.Int64{}
	c := open(t, dir, 1000)
	f, err := c.Files(t.Context(), key("big"), counting(n, fstest.MapFS{
		"usr/bin/tool": {Data: make([]byte, 5000), Mode: 0o755}, "etc/os-release": {Data: []byte("ID=x"), Mode: 0o644},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(f.Names()); !slices.Equal(got, []string{"etc/os-release", "usr/bin/tool"}) {
		t.Errorf("names are %q", got)
	}
	if err := c.Extract(t.Context(), key("other"), root(t), counting(&atomic.Int64{}, sized(900))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/os-release", "usr/bin/tool"} {
		into := root(t)
		if err := f.CopyTo(t.Context(), into, func(n string) bool { return n == name }); err != nil {
			t.Fatal(err)
		}
		if got, err := fs.Glob(into.FS(), "*/*"); err != nil || len(got) != 1 {
			t.Errorf("copied %q, %v; want something of %s alone", got, err, name)
		}
	}
	if n.Load() != 1 {
		t.Errorf("fetched %d times; want once", n.Load())
	}
	f.Close()
	if s := c.Stats(); s.Bytes > 1000 || s.Bytes != onDisk(t, dir) {
		t.Errorf("%d bytes are counted and %d there once nobody uses them", s.Bytes, onDisk(t, dir))
	}
}

func TestOneFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := filecache.Open(filecache.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var n atomic.Int64
		let := make(chan struct{})
		fetch := func(ctx context.Context, into *os.Root) error {
			n.Add(1)
			select {
			case <-let:
				return write(into, sized(10))
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.Extract(impatient, key("a"), root(t), fetch); !errors.Is(err, context.Canceled) {
				t.Errorf("who gave up got %v", err)
			}
		})
		synctest.Wait() // it leads
		for range 20 {
			wg.Go(func() {
				if err := c.Extract(t.Context(), key("a"), root(t), fetch); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait() // who leads may leave; the others still get it
		close(let)
		wg.Wait()
		if n.Load() != 1 {
			t.Errorf("%d downloads; want one", n.Load())
		}
	})
}

func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := filecache.Open(filecache.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ended := false
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = c.Extract(ctx, key("a"), root(t), func(ctx context.Context, _ *os.Root) error {
				<-ctx.Done()
				ended = true
				return ctx.Err()
			})
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !ended {
			t.Error("a download that nobody waits for goes on")
		}
		if err := c.Extract(t.Context(), key("a"), root(t), counting(&atomic.Int64{}, sized(1))); err != nil {
			t.Errorf("who came later got %v", err)
		}
	})
}

func TestFetchFails(t *testing.T) {
	c := open(t, t.TempDir(), 0)
	boom := errors.New("away")
	err := c.Extract(t.Context(), key("a"), root(t), func(context.Context, *os.Root) error { return boom })
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	err = c.Extract(t.Context(), key("a"), root(t), func(context.Context, *os.Root) error { panic("bug") })
	if err == nil || !strings.Contains(err.Error(), "bug") {
		t.Errorf("a panic became %v", err)
	}
	n := &atomic.Int64{}
	if err := c.Extract(t.Context(), key("a"), root(t), counting(n, sized(1))); err != nil || n.Load() != 1 {
		t.Errorf("failures are remembered: %v", err)
	}
}

// Names of an image never lead out of the directory they are written to.
func TestStaysInside(t *testing.T) {
	c, dir := open(t, t.TempDir(), 0), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(dir, "in", "usr")); err != nil {
		t.Fatal(err)
	}
	into, err := os.OpenRoot(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	if err := c.Extract(t.Context(), key("a"), into, counting(&atomic.Int64{}, sized(1))); err == nil {
		t.Error("a link that leads out was followed")
	}
	if _, err := os.Stat(filepath.Join(dir, "bin")); err == nil {
		t.Error("something was written outside")
	}
}

func TestMany(t *testing.T) {
	c := open(t, t.TempDir(), 5000)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			into := root(t)
			name := fmt.Sprint(i % 5)
			if err := c.Extract(t.Context(), key(name), into, func(_ context.Context, into *os.Root) error {
				return write(into, fstest.MapFS{"f": {Data: []byte(strings.Repeat(name, 100))}})
			}); err != nil {
				t.Error(err)
				return
			}
			if b, err := into.ReadFile("f"); err != nil || string(b) != strings.Repeat(name, 100) {
				t.Errorf("%s: got %q, %v", name, b, err)
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Bytes > 5000 {
		t.Errorf("%d bytes are kept", s.Bytes)
	}
}

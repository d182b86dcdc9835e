package diskcache_test

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

func TestOpenRefuses(t *testing.T) {
	key := func(t *testing.T, dir string) string {
		c, err := diskcache.Open(diskcache.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		return filepath.Join(dir, "state", "key")
	}
	chmod := func(t *testing.T, path string, mode fs.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"others can write":   {func(t *testing.T, dir string) { chmod(t, dir, 0o777) }, "others can write to"},
		"the group can":      {func(t *testing.T, dir string) { chmod(t, dir, 0o770) }, "chmod it to 0700"},
		"others see content": {func(t *testing.T, dir string) { key(t, dir); chmod(t, filepath.Join(dir, "blobs"), 0o755) }, "others can look into"},
		"others see the key": {func(t *testing.T, dir string) { chmod(t, key(t, dir), 0o644) }, "remove it"},
		"a file":             {func(t *testing.T, dir string) { os.Remove(dir); os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		"a link for the key": {func(t *testing.T, dir string) { k := key(t, dir); os.Remove(k); os.Symlink("/dev/zero", k) }, "remove it"},
		"blobs lead elsewhere": {func(t *testing.T, dir string) {
			key(t, dir)
			os.Remove(filepath.Join(dir, "blobs"))
			os.Symlink("state", filepath.Join(dir, "blobs"))
		}, "not a directory of its own"},
		"something else": {func(t *testing.T, dir string) { os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600) }, "letter.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			tt.prepare(t, dir)
			c, err := diskcache.Open(diskcache.Config{Dir: dir})
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("error %q; want it to name %s and to say %q", err, dir, tt.want)
			}
		})
	}
	for _, cfg := range []diskcache.Config{{}, {Dir: t.TempDir(), MaxBytes: -1}} {
		if _, err := diskcache.Open(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// A key that is none any more costs the entries, and nothing else.
func TestLostKey(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"gone":  os.Remove,
		"short": func(p string) error { return os.Truncate(p, 10) },
		"empty": func(p string) error { return os.Truncate(p, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c, _ := open(t, dir, 0)
			b, digest := content(1, 100)
			c.Put(digest, b)
			c.State().Put("who", []byte("v"))
			if err := spoil(filepath.Join(dir, "state", "key")); err != nil {
				t.Fatal(err)
			}
			d, _ := open(t, dir, 0)
			if _, ok := d.Get(digest); !ok {
				t.Error("the content is gone too")
			}
			if v, ok := d.State().Get("who"); ok {
				t.Errorf("entry %q of another key", v)
			}
			d.State().Put("who", []byte("again"))
			if v, ok := d.State().Get("who"); !ok || string(v) != "again" {
				t.Errorf("entry %q, %v", v, ok)
			}
		})
	}
}

// What a killed process left half-written goes, what a living one is writing stays.
func TestLeftOvers(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, 0)
	now, old := filepath.Join(dir, "blobs", "tmp-"+rand.Text()), filepath.Join(dir, "state", "tmp-"+rand.Text())
	for _, name := range []string{now, old} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-2 * time.Minute)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 0)
	if _, err := os.Stat(now); err != nil {
		t.Errorf("a file that is being written: %v", err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a file that was left half-written is still there")
	}
}

func TestNilKeepsNothing(t *testing.T) {
	var c *diskcache.Cache
	b, digest := content(1, 100)
	c.Put(digest, b)
	c.State().Put("who", b)
	if _, ok := c.Get(digest); ok {
		t.Error("nothing has content")
	}
	if _, ok := c.State().Get("who"); ok {
		t.Error("nothing has an entry")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A disk that refuses is told of, and does no other harm.
func TestBrokenDisk(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root may write anywhere: only the directory that is gone is tried")
	}
	dir := t.TempDir()
	c, f := open(t, dir, 0)
	b, digest := content(1, 100)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	c.Put(digest, b)
	c.State().Put("who", []byte("v"))
	if n := len(f.take()); n != 1 {
		t.Errorf("told %d times that nothing can be written; want once", n)
	}
	if _, ok := c.Get(digest); ok {
		t.Error("content of a directory that is gone")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c.Put(digest, b)
	c.State().Put("who", []byte("v"))
	if _, ok := c.State().Get("who"); ok || len(f.take()) > 0 {
		t.Error("a closed cache finds something, or reports faults of a disk that it gave up")
	}
}

package diskcache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever stands in an entry's file: it is an entry only if this cache sealed it under
// that name.
func FuzzEntry(f *testing.F) {
	c, _ := open(f, f.TempDir(), 0)
	name := strings.Repeat("ab", 32)
	f.Add(c.Seal(name, []byte("value")), []byte("value"))
	f.Add(c.Seal(name, nil), []byte(nil))
	f.Add(c.Seal(strings.Repeat("cd", 32), []byte("value")), []byte("value"))
	f.Add(make([]byte, 31), []byte(nil))
	f.Add(make([]byte, 32), []byte(nil))
	f.Fuzz(func(t *testing.T, file, value []byte) {
		if got, ok := c.Unseal(name, file); ok && !bytes.Equal(c.Seal(name, got), file) {
			t.Errorf("%q is taken for the entry %q", file, got)
		}
		if got, ok := c.Unseal(name, c.Seal(name, value)); !ok || !bytes.Equal(got, value) {
			t.Errorf("%q becomes %q, %v", value, got, ok)
		}
	})
}

// Whatever stands in a blob's file: only what has the digest comes out.
func FuzzBlob(f *testing.F) {
	dir := f.TempDir()
	c, _ := open(f, dir, 0)
	b, digest := content(1, 200)
	path := filepath.Join(dir, "blobs", strings.Replace(digest, ":", "-", 1))
	f.Add(b)
	f.Add(b[:100])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		got, ok := c.Get(digest)
		if ok != bytes.Equal(file, b) || ok && !bytes.Equal(got, b) {
			t.Errorf("%q comes out as %q, %v", file, got, ok)
		}
	})
}

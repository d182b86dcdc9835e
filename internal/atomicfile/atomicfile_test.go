package atomicfile_test

import (
	"bytes"
	"os"
	"sync"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/atomicfile"
)

// A reader sees one of the contents, whole, and nothing else is left in the directory.
func TestWrite(t *testing.T) {
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Mkdir("in", 0o700); err != nil {
		t.Fatal(err)
	}
	contents := [][]byte{bytes.Repeat([]byte("a"), 100_000), []byte("b")}
	if err := atomicfile.Write(dir, "in/file", contents[0], 0o644); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, c := range contents {
		writers.Go(func() {
			for range 20 {
				if err := atomicfile.Write(dir, "in/file", c, 0o644); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		b, err := dir.ReadFile("in/file")
		if err != nil || !bytes.Equal(b, contents[0]) && !bytes.Equal(b, contents[1]) {
			t.Fatalf("a reader got %d bytes, %v", len(b), err)
		}
	}
	writers.Wait()
	if info, err := dir.Stat("in/file"); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v; want permissions 0644", info, err)
	}
	if err := atomicfile.Write(dir, "absent/file", nil, 0o644); err == nil {
		t.Error("a directory that does not exist is accepted")
	}
	if err := dir.Mkdir("in/the-way", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(dir, "in/the-way", nil, 0o644); err == nil {
		t.Error("a directory was replaced")
	}
	d, err := dir.Open("in")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if names, err := d.Readdirnames(-1); err != nil || len(names) != 2 {
		t.Errorf("left are %q, %v", names, err)
	}
}

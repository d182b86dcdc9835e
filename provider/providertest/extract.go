package providertest

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// wantExtracted checks that Extract writes the same files as Files has, and no others.
func wantExtracted(t *testing.T, img provider.Image, files fs.FS, want map[string]string, patterns ...string) {
	t.Helper()
	dir := newRoot(t)
	if err := img.Extract(limited(t), dir, patterns...); err != nil {
		t.Errorf("Extract(%q): %v", patterns, err)
		return
	}
	got := content(t, dir)
	if !maps.Equal(got, want) {
		t.Errorf("Extract(%q) wrote %q, want %q", patterns, got, want)
	}
	for name := range got {
		a, errA := fs.Stat(files, name)
		b, errB := dir.Stat(name)
		if err := errors.Join(errA, errB); err != nil {
			t.Error(err)
			continue
		}
		if want := a.Mode().Perm() | 0o400; b.Mode().Perm() != want {
			t.Errorf("Extract(%q): %s has permissions %o, want %o", patterns, name, b.Mode().Perm(), want)
		}
	}
}

func newRoot(t *testing.T) *os.Root {
	t.Helper()
	dir, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

// content reads everything in dir but directories.
func content(t *testing.T, dir *os.Root) map[string]string {
	t.Helper()
	got := make(map[string]string)
	err := fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := dir.ReadFile(name)
		got[name] = string(b)
		return err
	})
	if err != nil {
		t.Errorf("reading what was extracted: %v", err)
	}
	return got
}

// testExtract checks what Extract leaves behind: the files wanted, or nothing.
func testExtract(t *testing.T, h ImageHarness) {
	want := layers(
		[]testpayload.Entry{testpayload.File("usr/bin/a", "a"), testpayload.HardLink("usr/bin/b", "usr/bin/a"), testpayload.File("other", "other")},
		[]testpayload.Entry{testpayload.Symlink("bin", "usr/bin"), testpayload.Executable("usr/bin/c", "c")},
	)
	patterns := []string{"bin/*", "usr/bin/c", "usr/**", "absent"}
	files := map[string]string{
		"bin/a": "a", "bin/b": "a", "bin/c": "c", "usr/bin/a": "a", "usr/bin/b": "a", "usr/bin/c": "c",
	}
	t.Run("Files", func(t *testing.T) {
		reg := serve(t, testregistry.Config{})
		img, err := imageOf(t, h.New(t, reg), request(reg.ByDigest(repository, reg.Push(repository, "", want))))
		if err != nil {
			t.Fatal(err)
		}
		before, dir := reg.Count(testregistry.Match{Kind: testregistry.Blob}), newRoot(t)
		for range 2 { // the second time over the files of the first
			if err := img.Extract(limited(t), dir, patterns...); err != nil {
				t.Fatal(err)
			}
			if got := content(t, dir); !maps.Equal(got, files) {
				t.Errorf("extracted %q, want %q", got, files)
			}
		}
		if n := reg.Count(testregistry.Match{Kind: testregistry.Blob}) - before; !h.Disk && n != 2*len(want.Layers()) {
			t.Errorf("%d requests for layers; want one for each of %d layers and call, though a link leads back up", n, len(want.Layers()))
		}
		// One content under two names is two files.
		if err := dir.WriteFile("bin/a", []byte("changed"), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := dir.ReadFile("usr/bin/a"); err != nil || string(b) != "a" {
			t.Errorf("usr/bin/a is %q, %v after bin/a was changed", b, err)
		}
	})
	t.Run("Tampered", func(t *testing.T) {
		if h.Disk {
			t.Skip("nothing lies between it and the content")
		}
		reg := serve(t, testregistry.Config{})
		reg.Push(repository, "", want)
		reg.Fail(topOf(want), testregistry.FlipByte(-1))
		img, err := imageOf(t, h.New(t, reg), request(reg.ByDigest(repository, want.Digest)))
		if err != nil {
			t.Fatal(err)
		}
		dir := newRoot(t)
		wantClass(t, img.Extract(limited(t), dir, patterns...), provider.ClassDigest)
		if got := content(t, dir); len(got) != 0 {
			t.Errorf("%q is left of a layer that was tampered with", got)
		}
	})
	t.Run("Directory", func(t *testing.T) {
		reg := serve(t, testregistry.Config{})
		img, err := imageOf(t, h.New(t, reg), request(reg.ByDigest(repository, reg.Push(repository, "", want))))
		if err != nil {
			t.Fatal(err)
		}
		dir := newRoot(t)
		if err := dir.Mkdir("usr", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := dir.WriteFile("usr/bin", []byte("in the way"), 0o600); err != nil {
			t.Fatal(err)
		}
		err = img.Extract(limited(t), dir, patterns...)
		if _, local := errors.AsType[*fs.PathError](err); !local {
			t.Errorf("a file where a directory must be: %v; want an error of the directory", err)
		}
	})
}

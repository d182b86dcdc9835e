package layout

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"
)

func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchive(t *testing.T) {
	b := tarOf(t, map[string]string{"./a/b": "1", "a-x": "2", "a/c/d": "3", "a.y/z": "4", "../out": "5", "a/c0": "6"})
	a, err := newArchive("x.tar", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]entry{
		".":   {{"a-x", false}, {"a.y", true}, {"a", true}},
		"a":   {{"b", false}, {"c", true}, {"c0", false}},
		"a/c": {{"d", false}},
		"b":   nil,
	} {
		if got, err := a.list(dir); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", dir, got, err, want)
		}
	}
	for name, want := range map[string]string{"a/b": "1", "a-x": "2", "a/c/d": "3"} {
		if got, err := readSmall(a, name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"out", "../out", "a", "a/c"} {
		if _, err := a.open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !a.has("a/c") || !a.has("a-x") || a.has("a/") || a.has("x") || a.has("out") {
		t.Error("has is wrong")
	}
}

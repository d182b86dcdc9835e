package layout

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
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

// A sparse file is there, and not as it is: that is not the same as missing.
func TestSparseEntry(t *testing.T) {
	h := &tar.Header{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"GNU.sparse.major": "1"}}
	if !sparse(h) || !sparse(&tar.Header{Typeflag: tar.TypeGNUSparse}) || sparse(&tar.Header{Typeflag: tar.TypeReg}) {
		t.Error("sparse is wrong")
	}
	block := tarOf(t, map[string]string{"a": ""})
	block[156] = tar.TypeGNUSparse
	copy(block[257:], "ustar  \x00")     // GNU's format
	copy(block[483:], "00000000000\x00") // the real size
	sum := 8 * int(' ')
	for i, b := range block[:512] {
		if i < 148 || i >= 156 {
			sum += int(b)
		}
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	a, err := newArchive("x.tar", bytes.NewReader(block))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.open("a"); !errors.Is(err, errSparse) {
		t.Error(err)
	}
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

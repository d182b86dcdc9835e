package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

var limits = Limits{Unpacked: 1 << 20, Entries: 1000, Total: 1 << 20, File: func(string) int64 { return 1 << 16 }}

func blob(t testing.TB, entries ...testpayload.Entry) []byte {
	t.Helper()
	img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: entries}}}.Image())
	return img.Top().Bytes()
}

// run searches layers, given from the bottom up, and says which were read.
func run(s *Search, layers [][]byte) (read []int, err error) {
	for i := len(layers) - 1; i >= 0 && !s.Done(); {
		read = append(read, i)
		l, err := s.Scan(context.Background(), bytes.NewReader(layers[i]))
		if err != nil {
			return read, err
		}
		second, err := s.Add(context.Background(), l)
		switch {
		case err != nil:
			return read, err
		case second:
			i = len(layers) - 1
		default:
			i--
		}
	}
	return read, nil
}

// contents returns the files of an fs.FS, by name.
func contents(t testing.TB, f fs.FS) map[string]string {
	t.Helper()
	got := make(map[string]string)
	err := fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(f, name)
		got[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSearch(t *testing.T) {
	file, dir, sym, hard := testpayload.File, testpayload.Dir, testpayload.Symlink, testpayload.HardLink
	wh, opq := testpayload.Whiteout, testpayload.OpaqueWhiteout
	type layers = [][]testpayload.Entry // from the bottom up
	for _, tt := range []struct {
		name   string
		layers layers
		ask    []string
		want   map[string]string
		read   []int // nil: from the top to the bottom, once
	}{
		{"top only", layers{{file("a", "old")}, {file("a", "new")}}, []string{"a"}, map[string]string{"a": "new"}, []int{1}},
		{"below", layers{{file("a", "1")}, {file("b", "2")}}, []string{"a"}, map[string]string{"a": "1"}, nil},
		{"two", layers{{file("a", "1")}, {file("b", "2")}, {file("c", "3")}}, []string{"b", "c"}, map[string]string{"b": "2", "c": "3"}, []int{2, 1}},
		{"names", layers{{file("./a", "1"), file("/b", "2"), file("c/./d", "3"), file("e//f", "4"), file("g/../h", "5")}},
			[]string{"a", "b", "c/d", "e/f", "h"}, map[string]string{"a": "1", "b": "2", "c/d": "3", "e/f": "4", "h": "5"}, nil},
		{"last of a layer", layers{{file("a", "1"), file("a", "2")}}, []string{"a"}, map[string]string{"a": "2"}, nil},
		{"nothing", layers{{file("a", "1")}, {}}, []string{"x/y"}, nil, nil},
		{"empty file", layers{{file("a", "")}}, []string{"a"}, map[string]string{"a": ""}, nil},

		{"whiteout", layers{{file("d/a", "1"), file("d/b", "1")}, {wh("d/a")}}, []string{"d/a", "d/b"}, map[string]string{"d/b": "1"}, nil},
		{"whiteout ends the search", layers{{file("a", "1")}, {wh("a")}}, []string{"a"}, nil, []int{1}},
		{"whiteout of a directory", layers{{file("d/a", "1")}, {wh("d")}}, []string{"d/a"}, nil, []int{1}},
		{"whiteout in the same layer", layers{{file("a", "0")}, {file("a", "1"), wh("a")}}, []string{"a"}, map[string]string{"a": "1"}, []int{1}},
		{"whiteout first", layers{{file("a", "0")}, {wh("a"), file("a", "1")}}, []string{"a"}, map[string]string{"a": "1"}, []int{1}},
		{"directory made anew", layers{{file("d/a", "0")}, {wh("d"), file("d/b", "1")}}, []string{"d/**"}, map[string]string{"d/b": "1"}, nil},
		{"directory made anew, whiteout last", layers{{file("d/a", "0")}, {file("d/b", "1"), wh("d")}}, []string{"d/**"}, map[string]string{"d/b": "1"}, nil},
		{"opaque", layers{{file("d/a", "0"), file("e/a", "0")}, {file("d/b", "1"), opq("d")}}, []string{"*/*"}, map[string]string{"d/b": "1", "e/a": "0"}, nil},
		{"opaque ends the search", layers{{file("d/a", "0")}, {opq("d")}}, []string{"d/a"}, nil, []int{1}},
		{"opaque root", layers{{file("a", "0")}, {opq(""), file("b", "1")}}, []string{"*"}, map[string]string{"b": "1"}, nil},
		{"opaque in the middle", layers{{file("d/a", "0")}, {opq("d"), file("d/b", "1")}, {file("d/c", "2")}}, []string{"d/*"}, map[string]string{"d/b": "1", "d/c": "2"}, nil},
		{"back after a whiteout", layers{{file("a", "0")}, {wh("a")}, {file("a", "2")}}, []string{"a"}, map[string]string{"a": "2"}, []int{2}},
		{"file hides a directory", layers{{file("d/a", "0")}, {file("d", "1")}}, []string{"d/a", "d"}, map[string]string{"d": "1"}, []int{1}},
		{"directory hides a file", layers{{file("d", "0")}, {file("d/a", "1")}}, []string{"d", "d/a"}, map[string]string{"d/a": "1"}, []int{1}},
		{"device hides", layers{{file("a", "0")}, {{Name: "a", Type: tar.TypeChar}}}, []string{"a"}, nil, []int{1}},
		{"aufs", layers{{file("a", "0")}, {file(".wh..wh.plnk/1.2", "x")}}, []string{"a"}, map[string]string{"a": "0"}, nil},

		{"hard link", layers{{file("x", "1"), hard("a", "x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0}},
		{"hard link, target later", layers{{hard("a", "x"), file("x", "1")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0}},
		{"hard link to what was asked for too", layers{{file("x", "1"), hard("a", "x")}}, []string{"a", "x"}, map[string]string{"a": "1", "x": "1"}, nil},
		{"hard link with ./", layers{{file("./x", "1"), hard("./a", "./x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0}},
		{"hard link, target gone above", layers{{file("x", "1"), hard("a", "x")}, {wh("x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{1, 0, 1, 0}},
		{"hard link, target new above", layers{{file("x", "1"), hard("a", "x")}, {file("x", "2")}}, []string{"a"}, map[string]string{"a": "1"}, []int{1, 0, 1, 0}},
		{"hard link to a lower layer", layers{{file("x", "1")}, {hard("a", "x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{1, 1, 0}},
		{"hard link to a hard link", layers{{file("x", "1"), hard("y", "x"), hard("a", "y")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0, 0}},
		{"hard links in a ring", layers{{hard("x", "a"), hard("a", "x")}}, []string{"a"}, nil, []int{0, 0}},
		{"hard link to nothing", layers{{hard("a", "x")}}, []string{"a"}, nil, []int{0, 0}},

		{"symlink", layers{{file("x", "1"), sym("a", "x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0}},
		{"symlink, absolute", layers{{file("d/x", "1"), sym("d/a", "/d/x")}}, []string{"d/a"}, map[string]string{"d/a": "1"}, []int{0, 0}},
		{"symlink of a directory", layers{{file("usr/bin/x", "1"), sym("bin", "usr/bin")}}, []string{"bin/x"}, map[string]string{"bin/x": "1"}, []int{0, 0}},
		{"symlink out", layers{{file("x", "1"), sym("d/a", "../../../../x")}}, []string{"d/a"}, map[string]string{"d/a": "1"}, []int{0, 0}},
		{"symlink to the host", layers{{sym("a", "/etc/passwd")}}, []string{"a"}, nil, []int{0, 0}},
		{"symlink into a symlink", layers{{file("z/x", "1"), sym("y", "z"), sym("a", "y/x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0, 0}},
		{"symlink with .. through a symlink", layers{{file("p/x", "1"), file("p/q/n", ""), sym("l", "p/q"), sym("a", "l/../x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{0, 0, 0, 0, 0}},
		{"symlink loop", layers{{sym("a", "b"), sym("b", "a")}}, []string{"a"}, nil, []int{0, 0}},
		{"symlink to itself", layers{{sym("a", "a/x")}}, []string{"a"}, nil, []int{0}},
		{"symlink above, target below", layers{{file("x", "1")}, {sym("a", "x")}}, []string{"a"}, map[string]string{"a": "1"}, []int{1, 1, 0}},
		{"symlink below, target above", layers{{sym("a", "x"), file("x", "1")}, {file("x", "2")}}, []string{"a"}, map[string]string{"a": "2"}, []int{1, 0, 1, 0}},
		{"symlink replaces a directory", layers{{file("d/x", "old")}, {sym("d", "e"), file("e/x", "new")}}, []string{"d/x"}, map[string]string{"d/x": "new"}, []int{1, 1}},
		{"symlink with **", layers{{file("real/x", "1"), file("real/y/z", "2"), sym("d", "real")}}, []string{"d/**"}, map[string]string{"d/x": "1", "d/y/z": "2"}, []int{0, 0}},
		{"symlink inside **", layers{{file("d/x", "1"), sym("d/y", "x"), sym("d/up", ".."), sym("d/me", ".")}}, []string{"d/**"},
			map[string]string{"d/x": "1", "d/y": "1"}, nil},
		{"symlink of a directory inside **", layers{{file("d/x", "1"), sym("d/l", "../e"), file("e/y", "2")}}, []string{"d/**", "d/l/y"},
			map[string]string{"d/x": "1", "d/l/y": "2"}, []int{0, 0}},
		{"symlink out of **", layers{{file("lib/x", "1"), sym("d/y", "../lib/x")}}, []string{"d/**"}, map[string]string{"d/y": "1"}, []int{0, 0}},

		{"stars", layers{{file("d/a.yaml", "1"), file("d/b.json", "2"), file("d/e/c.yaml", "3")}}, []string{"d/*.yaml"}, map[string]string{"d/a.yaml": "1"}, nil},
		{"stars in the middle", layers{{file("a/x/c", "1"), file("b/x/c", "2"), file("a/y/d", "3")}}, []string{"*/x/c"}, map[string]string{"a/x/c": "1", "b/x/c": "2"}, nil},
		{"everything", layers{{file("a", "1"), dir("e")}, {file("d/b", "2")}}, []string{"**"}, map[string]string{"a": "1", "d/b": "2"}, nil},
		{"below stars", layers{{file("a/m/x", "1"), file("b/m/y/z", "2"), file("b/n", "3")}}, []string{"*/m/**"}, map[string]string{"a/m/x": "1", "b/m/y/z": "2"}, nil},
		{"no directory", layers{{dir("d"), file("d/a", "1")}}, []string{"d"}, nil, nil},
		{"odd names", layers{{file("a[1]/x", "1"), file("a*", "2"), sym("l", "a[1]")}}, []string{`a\[1\]/*`, "l/*"}, map[string]string{"a[1]/x": "1", "l/x": "1"}, []int{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var blobs [][]byte
			var down []int
			for i, entries := range tt.layers {
				blobs = append(blobs, blob(t, entries...))
				down = append(down, len(tt.layers)-1-i)
			}
			if tt.read == nil {
				tt.read = down
			}
			s, err := NewSearch(limits, tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			read, err := run(s, blobs)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(read, tt.read) {
				t.Errorf("read layers %v, want %v", read, tt.read)
			}
			f, err := s.Files(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			got := contents(t, f)
			if !maps.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if err := fstest.TestFS(f, slices.Collect(maps.Keys(tt.want))...); err != nil {
				t.Error(err)
			}
			for _, name := range tt.ask {
				b, ok := s.File(name)
				if want, there := tt.want[name]; ok != there || string(b) != want {
					t.Errorf("File(%q) = %q, %v", name, b, ok)
				}
			}
		})
	}
}

// A search that is done when some names are settled takes what else it has met.
func TestUntil(t *testing.T) {
	layers := [][]byte{
		blob(t, testpayload.File("d/b", "low"), testpayload.File("d/c", "low")),
		blob(t, testpayload.File("d/a", "1"), testpayload.File("d/b", "2")),
		blob(t, testpayload.File("other", "")),
	}
	s, err := NewSearch(limits, []string{"d/a", "d/b", "d/c"}, "d/a")
	if err != nil {
		t.Fatal(err)
	}
	read, err := run(s, layers)
	if err != nil || !slices.Equal(read, []int{2, 1}) {
		t.Fatalf("%v, read %v", err, read)
	}
	if b, ok := s.File("d/b"); !ok || string(b) != "2" {
		t.Errorf("d/b: %q %v", b, ok)
	}
	if _, ok := s.File("d/c"); ok {
		t.Error("d/c came from a layer that was not read")
	}
}

func TestPatterns(t *testing.T) {
	for _, bad := range []string{"", "/a", "..", "../a", ".", "a/[", `a\`, "/"} {
		if _, err := NewSearch(limits, []string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestLimits(t *testing.T) {
	tight := Limits{Unpacked: 1 << 16, Entries: 10, Total: 100, File: func(name string) int64 { return 60 }}
	for _, tt := range []struct {
		name    string
		entries []testpayload.Entry
		says    string
	}{
		{"unpacked", []testpayload.Entry{testpayload.Zeros("x", 40<<10), testpayload.Zeros("y", 40<<10)}, "unpack"},
		{"one entry", []testpayload.Entry{testpayload.Zeros("x", 100<<10)}, `"x" of 102400 bytes`},
		{"entries", []testpayload.Entry{{Name: "x", Repeat: 11}}, "more than 10 entries"},
		{"one file", []testpayload.Entry{testpayload.Zeros("d/a", 61)}, `file "d/a" of 61 bytes: at most 60`},
		{"all files", []testpayload.Entry{testpayload.Zeros("d/a", 60), testpayload.Zeros("d/b", 60)}, "more than 100 bytes"},
		{"a file not wanted", []testpayload.Entry{testpayload.Zeros("e", 61)}, ""},
		{"long names", []testpayload.Entry{testpayload.File("../"+strings.Repeat("x", 1000), "")}, "leads out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewSearch(tight, []string{"d/**"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Scan(context.Background(), bytes.NewReader(blob(t, tt.entries...)))
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 400 {
				t.Errorf("got %v", err)
			}
		})
	}

	// Names that lead to the same directory over and over multiply files.
	many := []testpayload.Entry{testpayload.File("d/f", "x"), testpayload.Symlink("d/a", "."), testpayload.Symlink("d/b", ".")}
	s, err := NewSearch(limits, []string{"d" + strings.Repeat("/*", 12)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(s, [][]byte{blob(t, many...)})
	wantLimit(t, err, "directories more than 1000 times")
	// With half of the directories it is the files.
	if s, err = NewSearch(limits, []string{"d" + strings.Repeat("/*", 9)}); err != nil {
		t.Fatal(err)
	}
	few := append(many, testpayload.File("d/g", "x"), testpayload.File("d/h", "x"), testpayload.File("d/i", "x"))
	if _, err := run(s, [][]byte{blob(t, few...)}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Files(context.Background())
	wantLimit(t, err, "more files")

	// A chain of links that each lead to what was passed.
	var chain []testpayload.Entry
	for i := range 39 {
		chain = append(chain, testpayload.Symlink(fmt.Sprintf("%02d", i), fmt.Sprintf("%02d", i+1)))
	}
	s, err = NewSearch(limits, []string{"00"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(s, [][]byte{blob(t, chain...)}); !errors.Is(err, errTurns) {
		t.Errorf("got %v", err)
	}
}

// A reader's error stays what it is.
func TestReaderError(t *testing.T) {
	b := blob(t, testpayload.Zeros("a", 1<<10), testpayload.File("b", strings.Repeat("hello", 1000)))
	broken := errors.New("broken")
	for n := range len(b) {
		s, err := NewSearch(limits, []string{"b"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Scan(context.Background(), io.MultiReader(bytes.NewReader(b[:n]), &failing{broken}))
		if err != nil && !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

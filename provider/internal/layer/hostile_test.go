package layer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

func wantLimit(t *testing.T, err error, says string) {
	t.Helper()
	if _, ok := errors.AsType[*LimitError](err); !ok || !strings.Contains(err.Error(), says) || len(err.Error()) > 500 {
		t.Errorf("got %v, want a limit that says %q", err, says)
	}
}

// Names and targets that no file system takes are refused where they matter, and
// are nothing where they do not.
func TestNameLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("a/", n-1) + "f" }
	long := strings.Repeat(strings.Repeat("x", 100)+"/", 41)
	for _, tt := range []struct {
		name  string
		entry testpayload.Entry
		says  string
	}{
		{"deep file", testpayload.File("d/"+deep(256), ""), "has a name of 257 components"},
		{"deep enough", testpayload.File("d/"+deep(255), ""), ""},
		{"deep directory", testpayload.Dir("d/" + deep(256)), "257 components"},
		{"deep whiteout", testpayload.Whiteout("d/" + deep(256)), "257 components"},
		{"deep opaque directory", testpayload.OpaqueWhiteout("d/" + deep(256)), "258 components"},
		{"deep below a file", testpayload.File("x/"+deep(256), ""), "257 components"},
		{"long file", testpayload.File("d/"+long+"f", ""), "has a name of 4144 bytes"},
		{"deep symlink", testpayload.Symlink("d/l", "/"+deep(256)), "links to a name of 257 components"},
		{"long symlink", testpayload.Symlink("d/l", long), "links to a name of 4141 bytes"},
		{"deep hard link", testpayload.HardLink("d/l", deep(257)), "links to a name of 257 components"},
		{"on the way", testpayload.Symlink("d", deep(257)), "links to a name of 257 components"},
		{"not wanted", testpayload.File("e/"+deep(300), ""), ""},
		{"link not wanted", testpayload.Symlink("e", deep(300)), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewSearch(limits, []string{"d/**", "x"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Scan(context.Background(), bytes.NewReader(blob(t, tt.entry)))
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantLimit(t, err, tt.says)
		})
	}
}

// Links that are each short enough add up.
func TestSteps(t *testing.T) {
	var s Search
	s.restart()
	made := 0
	s.root.dir("d", &made)
	detour := strings.Repeat("d/../", 100)
	for i := range 20 {
		s.root.put("", string(rune('A'+i)), &node{kind: symlink, target: detour + string(rune('A'+i+1))}, &made)
	}
	s.root.put("", string(rune('A'+20)), &node{kind: file, kept: true}, &made)
	if _, st := s.find(string(rune('A' + 16))); st != found {
		t.Errorf("through 4 links: %d", st)
	}
	if _, st := s.find("A"); st != missing {
		t.Errorf("through 20 links of 200 components each: %d", st)
	}
}

// A decoder's memory is bounded by what is usual, in either form a frame has to
// ask for more.
func TestZstdWindow(t *testing.T) {
	plain := blob(t, testpayload.File("a", "x"))
	r, done, err := decompress(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	done()
	frame := func(size int, single bool) []byte {
		var out bytes.Buffer
		options := []zstd.EOption{zstd.WithWindowSize(size), zstd.WithSingleSegment(single), zstd.WithLowerEncoderMem(true)}
		z, err := zstd.NewWriter(&out, options...)
		if err != nil {
			t.Fatal(err)
		}
		content := append(bytes.Clone(plain), make([]byte, size-len(plain))...)
		if single {
			return z.EncodeAll(content, nil)
		}
		if _, err := z.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for _, tt := range []struct {
		name   string
		size   int
		single bool
		says   string
	}{
		{"8 MiB", 8 << 20, false, ""},
		{"16 MiB", 16 << 20, false, "window of more than 8388608 bytes"},
		{"8 MiB in one", 8 << 20, true, ""},
		{"16 MiB in one", 16 << 20, true, "window of more than 8388608 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := frame(tt.size, tt.single)
			var h zstd.Header
			if err := h.Decode(b); err != nil || h.SingleSegment != tt.single || !tt.single && h.WindowSize != uint64(tt.size) {
				t.Fatalf("%v: the frame is %+v", err, h)
			}
			s, err := NewSearch(limits, []string{"a"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Scan(context.Background(), bytes.NewReader(b))
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantLimit(t, err, tt.says)
		})
	}
}

// Links that multiply directories end, also where no file is found to count.
func TestManyWays(t *testing.T) {
	var entries []testpayload.Entry
	for i := range 20 {
		entries = append(entries, testpayload.Symlink(fmt.Sprintf("d/%d", i), "."))
	}
	s, err := NewSearch(limits, []string{"d" + strings.Repeat("/*", 20) + "/none"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = run(s, [][]byte{blob(t, entries...)})
	wantLimit(t, err, "directories more than 1000 times")
}

// The names of what is found are memory too.
func TestNamesLimit(t *testing.T) {
	tight := limits
	tight.Total = 2000
	var entries []testpayload.Entry
	for i := range 30 {
		entries = append(entries, testpayload.File(fmt.Sprintf("d/%s/%d", strings.Repeat("x", 100), i), ""))
	}
	s, err := NewSearch(tight, []string{"d/**"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(s, [][]byte{blob(t, entries[:15]...), blob(t, entries[15:]...)}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Files(context.Background())
	wantLimit(t, err, "more than 2000 bytes")
}

// What takes many steps takes few after the context has ended.
func TestContext(t *testing.T) {
	many := limits
	many.Entries, many.Unpacked, many.Total = 100_000, 64<<20, 8<<20
	layers := map[string][]byte{}
	var links, hard []testpayload.Entry
	for i := range 3000 {
		links = append(links, testpayload.Symlink(fmt.Sprintf("d/%d", i), "f"))
		hard = append(hard, testpayload.HardLink(fmt.Sprintf("d/%d", i), strings.Repeat("d/", 200)+"f"))
	}
	layers["links"] = blob(t, append(links, testpayload.File("d/f", "x"))...)
	layers["hard links"] = blob(t, append(hard, testpayload.File(strings.Repeat("d/", 200)+"f", "x"))...)
	for name, b := range layers {
		t.Run(name, func(t *testing.T) {
			ended, end := context.WithCancel(context.Background())
			end()
			s, err := NewSearch(many, []string{"d/**"})
			if err != nil {
				t.Fatal(err)
			}
			stops := func(what string, f func() error) {
				t.Helper()
				before := s.steps
				if err := f(); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", what, err)
				}
				if n := s.steps - before; n > 2*checkEvery {
					t.Errorf("%s: %d steps", what, n)
				}
			}
			stops("Scan", func() error { _, err := s.Scan(ended, bytes.NewReader(b)); return err })
			var l *Layer
			scan := func() {
				if l, err = s.Scan(context.Background(), bytes.NewReader(b)); err != nil {
					t.Fatal(err)
				}
			}
			scan()
			stops("Add", func() error { _, err := s.Add(ended, l); return err })
			scan()
			if _, err := s.Add(context.Background(), l); err != nil {
				t.Fatal(err)
			}
			stops("Files", func() error { _, err := s.Files(ended); return err })
		})
	}
}

// Directories without entries count as entries do, and so do names.
func TestNodes(t *testing.T) {
	scan := func(l Limits, entries ...testpayload.Entry) error {
		s, err := NewSearch(l, []string{"d/**"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Scan(context.Background(), bytes.NewReader(blob(t, entries...)))
		return err
	}
	var deep, long []testpayload.Entry
	for i := range 10 {
		deep = append(deep, testpayload.Dir(fmt.Sprintf("d/%d/", i)+strings.Repeat("a/", 200)))
		long = append(long, testpayload.File(fmt.Sprintf("d/%s%d", strings.Repeat("x", 90), i), ""))
	}
	wantLimit(t, scan(limits, deep...), "more than 1000 files and directories")
	if err := scan(limits, deep[:4]...); err != nil {
		t.Error(err)
	}
	tight := limits
	tight.Total = 500
	wantLimit(t, scan(tight, long...), "more than 500 bytes")
	if err := scan(tight, long[:4]...); err != nil {
		t.Error(err)
	}
}

// What links lead to is bounded.
func TestWants(t *testing.T) {
	many := limits
	many.Entries, many.Unpacked = 100_000, 64<<20
	var links []testpayload.Entry
	for i := range maxWants + 1 {
		links = append(links, testpayload.Symlink(fmt.Sprintf("d/%d", i), fmt.Sprintf("/e/%d", i)))
	}
	for _, n := range []int{maxWants, maxWants + 1} {
		s, err := NewSearch(many, []string{"d/*"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = run(s, [][]byte{blob(t, links[:n]...)})
		if n > maxWants {
			wantLimit(t, err, "links lead to more than 4096 names")
		} else if err != nil {
			t.Error(err)
		}
	}
}

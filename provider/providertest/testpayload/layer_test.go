package testpayload_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// unpack opens the tar file in a blob, by its media type.
func unpack(t *testing.T, b testpayload.Blob) *tar.Reader {
	t.Helper()
	return tar.NewReader(decompress(t, b))
}

func decompress(t *testing.T, b testpayload.Blob) io.Reader {
	t.Helper()
	pr, pw := io.Pipe()
	go func() {
		_, err := b.WriteTo(pw)
		pw.CloseWithError(err)
	}()
	t.Cleanup(func() { _ = pr.Close() })
	switch {
	case strings.HasSuffix(b.MediaType, "gzip"):
		z, err := gzip.NewReader(pr)
		if err != nil {
			t.Fatal(err)
		}
		return z
	case strings.HasSuffix(b.MediaType, "zstd"):
		z, err := zstd.NewReader(pr, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(z.Close)
		return z
	}
	return pr
}

// list returns the entries of a layer, one a line.
func list(t *testing.T, b testpayload.Blob) (out []string) {
	t.Helper()
	for tr := unpack(t, b); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%c %o %s>%s %s", h.Typeflag, h.Mode, h.Name, h.Linkname, body))
	}
}

func TestEntries(t *testing.T) {
	entries := []testpayload.Entry{
		testpayload.Dir("a"), testpayload.File("./a/x", "text"), testpayload.Executable("bin", "#!"),
		testpayload.Symlink("l", "a/x"), testpayload.HardLink("h", "./a/x"),
		testpayload.Whiteout("a/gone"), testpayload.Whiteout("gone"), testpayload.OpaqueWhiteout("a"),
		testpayload.File("../../up", "evil"), testpayload.Zeros("z", 3), {Name: "dev", Type: tar.TypeChar},
		{Name: "twice", Body: []byte("2"), Repeat: 2},
	}
	want := []string{
		"5 755 a> ", "0 644 ./a/x> text", "0 755 bin> #!", "2 644 l>a/x ", "1 644 h>./a/x ",
		"0 644 a/.wh.gone> ", "0 644 .wh.gone> ", "0 644 a/.wh..wh..opq> ",
		"0 644 ../../up> evil", "0 644 z> \x00\x00\x00", "3 644 dev> ", "0 644 twice> 2", "0 644 twice> 2",
	}
	for name, c := range map[string]struct {
		docker      bool
		compression testpayload.Compression
		mediaType   string
	}{
		"gzip":                {false, testpayload.Gzip, testpayload.OCILayerGzip},
		"zstd":                {false, testpayload.Zstd, testpayload.OCILayerZstd},
		"uncompressed":        {false, testpayload.Uncompressed, testpayload.OCILayer},
		"Docker gzip":         {true, testpayload.Gzip, testpayload.DockerLayerGzip},
		"Docker zstd":         {true, testpayload.Zstd, testpayload.DockerLayerZstd},
		"Docker uncompressed": {true, testpayload.Uncompressed, testpayload.DockerLayer},
	} {
		t.Run(name, func(t *testing.T) {
			img := testpayload.Must(testpayload.Spec{Docker: c.docker, Layers: []testpayload.Layer{{Entries: entries, Compression: c.compression}}}.Image())
			if got := img.Top().MediaType; got != c.mediaType {
				t.Errorf("media type %s, want %s", got, c.mediaType)
			}
			if got := list(t, img.Top()); !slices.Equal(got, want) {
				t.Errorf("entries\n%q\nwant\n%q", got, want)
			}
		})
	}
}

func TestRawLayer(t *testing.T) {
	raw := []byte("neither tar nor gzip")
	img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Raw: raw, MediaType: "text/plain", URLs: []string{"https://example.com"}}}}.Image())
	if b := img.Top(); !bytes.Equal(b.Bytes(), raw) || b.MediaType != "text/plain" || len(b.URLs) != 1 {
		t.Errorf("layer %+v", b.Descriptor)
	}
	if img, err := (testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{{Name: "nul\x00"}}}}}).Image(); err == nil {
		t.Errorf("a name with NUL made %v", img.Digest)
	}
	huge := testpayload.Layer{Entries: []testpayload.Entry{testpayload.Zeros("z", 1<<40)}, Compression: testpayload.Uncompressed}
	if img, err := (testpayload.Spec{Layers: []testpayload.Layer{huge}}).Image(); err == nil || !strings.Contains(err.Error(), "compress") {
		t.Errorf("an uncompressed terabyte made %v, %v", img.Digest, err)
	}
}

// A file on disk is read each time its layer is, in each compression, and a layer that is not
// compressed holds nothing of it.
func TestExecutableFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	content := bytes.Repeat([]byte("0123456789"), 20<<10)
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(content)
	e, err := testpayload.ExecutableFile("bin", file)
	if err != nil {
		t.Fatal(err)
	}
	e.Zeros = 7
	want := "0 755 bin> " + string(content) + strings.Repeat("\x00", 7)
	for _, c := range []testpayload.Compression{testpayload.Gzip, testpayload.Zstd, testpayload.Uncompressed} {
		b := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{e, e}, Compression: c}}}.Image()).Top()
		for range 2 {
			if got := list(t, b); !slices.Equal(got, []string{want, want}) {
				t.Errorf("compression %d: other entries", c)
			}
		}
		if b.Virtual() != (c == testpayload.Uncompressed) {
			t.Errorf("compression %d: virtual is %t", c, b.Virtual())
		}
		if all := b.Bytes(); testpayload.Digest(all) != b.Digest || int64(len(all)) != b.Size {
			t.Errorf("compression %d: %s of %d bytes is not the content", c, b.Digest, b.Size)
		}
	}
	stored := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{e}, Compression: testpayload.Uncompressed}}}.Image()).Top()
	write(content[1:])
	if n, err := stored.WriteTo(io.Discard); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file that became shorter made %d bytes, %v", n, err)
	}
	if _, err := testpayload.ExecutableFile("bin", file+"-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file made %v", err)
	}
}

// Bombs are small here and say honestly how large they are.
func TestBombs(t *testing.T) {
	for name, c := range map[string]struct {
		entry     testpayload.Entry
		most      int64 // bytes compressed
		unpacked  int64
		entries   int
		firstSize int64
	}{
		"10 GB":            {testpayload.Zeros("bomb", 10<<30), 12 << 20, 10 << 30, 1, 10 << 30},
		"10 million":       {testpayload.Entry{Name: "bomb", Repeat: 10_000_000}, 40 << 20, 5_120_000_000, 10_000_000, 0},
		"half a chunk off": {testpayload.Zeros("bomb", 300<<20+12345), 1 << 20, 300<<20 + 12345, 1, 300<<20 + 12345},
	} {
		t.Run(name, func(t *testing.T) {
			img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{c.entry, testpayload.File("end", "end")}}}}.Image())
			if got := img.Top().Size; got > c.most {
				t.Errorf("%d bytes, want at most %d", got, c.most)
			}
			tr := unpack(t, img.Top())
			h, err := tr.Next()
			if err != nil || h.Name != "bomb" || h.Size != c.firstSize {
				t.Fatalf("first entry %+v, %v", h, err)
			}
			if c.unpacked > 1<<30 {
				return // reading it all takes too long
			}
			if n, err := io.Copy(io.Discard, tr); err != nil || n != c.firstSize {
				t.Errorf("%d bytes, %v; want %d", n, err, c.firstSize)
			}
			if h, err = tr.Next(); err != nil || h.Name != "end" {
				t.Errorf("second entry %+v, %v", h, err)
			}
		})
	}
	t.Run("all entries are there", func(t *testing.T) {
		const n = 300_000 // more than what is hashed unpacked
		img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{{Name: "x", Repeat: n}}}}}.Image())
		r := decompress(t, img.Top())
		header := make([]byte, 512)
		got := 0
		for block := make([]byte, 512); ; got++ {
			if _, err := io.ReadFull(r, block); err != nil {
				t.Fatal(err)
			}
			if got == 0 {
				copy(header, block)
			}
			if !bytes.Equal(block, header) {
				break // the end of the tar file
			}
		}
		if got != n {
			t.Errorf("%d entries, want %d", got, n)
		}
	})
}

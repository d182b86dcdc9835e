package testpayload

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func TestSizes(t *testing.T) {
	img := Must(Release{}.Image())
	t.Log("release layer", img.Top().Size, "bootimages", len(Release{}.BootImagesConfigMap()), len(Release{BootImages: MultiStream}.BootImagesConfigMap()), "irefs", len(Release{}.ImageReferences()))
	for n := range baseLayerDigests {
		b := virtualLayer(false, n, baseLayerSize)
		h := sha256.New()
		m, err := b.WriteTo(h)
		if err != nil || m != b.Size {
			t.Errorf("base layer %d: %d bytes, %v; want %d", n, m, err, b.Size)
		}
		if d := "sha256:" + hex.EncodeToString(h.Sum(nil)); d != baseLayerDigests[n] {
			t.Errorf("base layer %d: digest %s, want %s", n, baseLayerDigests[n], d)
		}
	}
}

func TestBomb(t *testing.T) {
	l := Layer{Entries: []Entry{Zeros("bomb", 1<<30), {Name: "many", Repeat: 100000}}}
	b, _, err := l.blob(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(b.Size)
	z, err := gzip.NewReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(z)
	n := 0
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
		_ = h
	}
	if n != 100001 {
		t.Error(n)
	}
}

func BenchmarkRelease(b *testing.B) {
	for b.Loop() {
		Must(Release{}.Image())
	}
}

package testpayload

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a layer is stored.
type Compression uint8

// Compressions of layers; gzip is what nearly all have.
const (
	Gzip Compression = iota
	Zstd
	Uncompressed
)

// Layer is one layer of an image: entries, or a blob as it is.
type Layer struct {
	Entries     []Entry
	Compression Compression
	// MediaType replaces the one that follows from Compression.
	MediaType string
	// Raw, if not nil, is the blob, and Entries and Compression are ignored: for
	// what no tar writer would write.
	Raw []byte
	// URLs are those of a foreign layer.
	URLs []string
	// Annotations are those of the layer's descriptor.
	Annotations map[string]string
}

// Bounds of what is held in memory or hashed to build a layer. Beyond them a
// repeated piece is compressed once and its compressed form repeated.
const (
	chunk          = 4 << 20
	maxUnpackedRun = 256 << 20
)

// blob builds the layer. The second result is the digest of the unpacked tar
// file, which the image's config lists; it is made up where hashing it would
// take too long (more than 256 MiB unpacked).
func (l Layer) blob(docker bool) (Blob, string, error) {
	mediaType := l.MediaType
	if mediaType == "" {
		mediaType = layerType(docker, l.Compression)
	}
	if l.Raw != nil {
		b := NewBlob(mediaType, l.Raw)
		b.URLs, b.Annotations = l.URLs, l.Annotations
		return b, b.Digest, nil
	}
	var total int64
	for _, e := range l.Entries {
		total += (e.Size() + 1024) * int64(max(e.Repeat, 1))
	}
	b, diff, err := l.packed(mediaType, total)
	b.URLs, b.Annotations = l.URLs, l.Annotations
	return b, diff, err
}

// packed returns the entries, of total bytes unpacked, as a blob. What is not compressed is
// generated when it is read, so that it stands in memory once.
func (l Layer) packed(mediaType string, total int64) (Blob, string, error) {
	if l.Compression == Uncompressed {
		if total > maxUnpackedRun {
			return Blob{}, "", fmt.Errorf("an uncompressed layer of %d bytes: compress it, or use less than %d", total, maxUnpackedRun)
		}
		b, err := generated(mediaType, func(w io.Writer) error { return (&packer{compression: Uncompressed, out: w}).pack(l.Entries) })
		return b, b.Digest, err
	}
	var out bytes.Buffer
	p := &packer{compression: l.Compression, out: &out}
	diff := sha256.New()
	if total <= maxUnpackedRun {
		p.unpacked = diff
	}
	if err := p.pack(l.Entries); err != nil {
		return Blob{}, "", err
	}
	if p.unpacked == nil {
		diff.Write(out.Bytes())
	}
	return NewBlob(mediaType, out.Bytes()), "sha256:" + hex.EncodeToString(diff.Sum(nil)), nil
}

func layerType(docker bool, c Compression) string {
	if docker {
		return [...]string{DockerLayerGzip, DockerLayerZstd, DockerLayer}[c]
	}
	return [...]string{OCILayerGzip, OCILayerZstd, OCILayer}[c]
}

// packer writes a tar file piece by piece, compressed. Gzip members and zstd frames may
// follow each other in one stream, so a piece that repeats is compressed once.
type packer struct {
	compression Compression
	out         io.Writer
	current     io.WriteCloser // the open member, nil between members
	unpacked    io.Writer      // hashes what is packed, if not nil
	err         error          // the first one of out or of a file; nothing is written after it
}

// pack writes a whole tar file.
func (p *packer) pack(entries []Entry) error {
	for i, e := range entries {
		if err := p.entry(e); err != nil {
			return fmt.Errorf("entry %d (%q): %w", i, e.Name, err)
		}
	}
	p.write(make([]byte, 1024))
	p.end()
	return p.err
}

func (p *packer) compressor(w io.Writer) io.WriteCloser {
	switch p.compression {
	case Gzip:
		return gzip.NewWriter(w)
	case Zstd:
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil { // no option of ours can be wrong
			panic(err)
		}
		return z
	}
	return nopCloser{w}
}

func (p *packer) write(b []byte) {
	if p.err != nil {
		return
	}
	if p.current == nil {
		p.current = p.compressor(p.out)
	}
	if p.unpacked != nil {
		_, _ = p.unpacked.Write(b) // to a hash
	}
	_, p.err = p.current.Write(b)
}

func (p *packer) end() {
	if p.current != nil {
		p.err = cmp.Or(p.err, p.current.Close())
		p.current = nil
	}
}

// repeat writes b n times.
func (p *packer) repeat(b []byte, n int64) {
	if n*int64(len(b)) <= chunk || p.unpacked != nil || p.compression == Uncompressed {
		for range n {
			p.write(b)
		}
		return
	}
	p.end()
	per := max(1, chunk/int64(len(b)))
	member := p.member(bytes.Repeat(b, int(per)))
	for range n / per {
		if p.err == nil {
			_, p.err = p.out.Write(member)
		}
	}
	for range n % per {
		p.write(b)
	}
}

// member returns b compressed.
func (p *packer) member(b []byte) []byte {
	var out bytes.Buffer
	w := p.compressor(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// entry writes e. It fails for what no tar header can hold.
func (p *packer) entry(e Entry) error {
	head, err := e.headerBytes()
	if err != nil {
		return err
	}
	pad := -e.Size() & 511
	if e.Repeat > 1 && e.file == "" && e.Zeros <= chunk {
		whole := append(head, e.Body...)
		p.repeat(append(whole, make([]byte, e.Zeros+pad)...), int64(e.Repeat))
		return nil
	}
	for range max(e.Repeat, 1) {
		p.write(head)
		p.file(e)
		p.write(e.Body)
		p.repeat(make([]byte, min(e.Zeros, chunk)), e.Zeros/chunk)
		p.write(make([]byte, e.Zeros%chunk+pad))
	}
	return nil
}

// file writes the file of e, if it has one.
func (p *packer) file(e Entry) {
	if e.file == "" || p.err != nil {
		return
	}
	f, err := os.Open(e.file)
	if err != nil {
		p.err = err
		return
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for remaining := e.fileSize; remaining > 0 && p.err == nil; {
		b := buf[:min(int64(len(buf)), remaining)]
		if _, err := io.ReadFull(f, b); err != nil {
			p.err = fmt.Errorf("%s: %w", e.file, err)
			return
		}
		p.write(b)
		remaining -= int64(len(b))
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

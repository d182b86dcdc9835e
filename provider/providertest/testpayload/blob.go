package testpayload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Blob is a config or a layer. Its content is in memory or generated when it is
// read.
type Blob struct {
	Descriptor
	data     []byte
	generate func(io.Writer) error
}

// NewBlob returns data as a blob of that media type.
func NewBlob(mediaType string, data []byte) Blob {
	return Blob{
		Descriptor: Descriptor{MediaType: mediaType, Digest: Digest(data), Size: int64(len(data))},
		data:       data,
	}
}

// generated returns a virtual blob. It generates the content once, for its digest.
func generated(mediaType string, generate func(io.Writer) error) (Blob, error) {
	h := sha256.New()
	c := &counter{w: h}
	err := generate(c)
	return Blob{
		Descriptor: Descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(h.Sum(nil)), Size: c.n},
		generate:   generate,
	}, err
}

// Virtual reports whether the content is generated when it is read.
func (b Blob) Virtual() bool { return b.generate != nil }

// WriteTo writes the content to w. It may be called any number of times, from
// several goroutines at once.
func (b Blob) WriteTo(w io.Writer) (int64, error) {
	if b.generate == nil {
		n, err := w.Write(b.data)
		return int64(n), err
	}
	c := &counter{w: w}
	err := b.generate(c)
	return c.n, err
}

// Bytes returns a copy of the content. It generates a virtual blob into memory.
func (b Blob) Bytes() []byte {
	if b.generate == nil {
		return bytes.Clone(b.data)
	}
	var buf bytes.Buffer
	buf.Grow(int(b.Size))
	_ = b.generate(&buf) // a buffer takes everything
	return buf.Bytes()
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

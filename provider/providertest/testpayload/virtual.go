package testpayload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// baseLayerSize is the unpacked size of each default base layer.
const baseLayerSize = 50_000_000

// baseLayerDigests are those of the default base layers, so that building a
// payload does not hash 150 MB. A test compares them with the content.
var baseLayerDigests = [...]string{
	"sha256:860654d3b1d2f35e956a90c1580fcd93f378745784a6aca97cc89733db9d0bff",
	"sha256:3beb3f5eca57672bd651a75e0cb2c83fe3cd78b99803918d1ca2514343d48f8d",
	"sha256:e3e9451e0c45b577bda72dbc73608cf27c5390eccef471167a78668eb3dde445",
}

// VirtualLayer returns a layer with one file of about size zero bytes, stored without
// compression in a gzip stream, so that the blob is about as large. Its content is
// generated when it is read and matches its digest, for which it is generated once here.
// n tells layers of one size apart.
func VirtualLayer(docker bool, n int, size int64) Blob {
	b := virtualLayer(docker, n, size)
	b, _ = generated(b.MediaType, b.generate) // a hash takes everything
	return b
}

// defaultBaseLayers returns three of 50 MB, whose digests are worked out before.
func defaultBaseLayers(docker bool) []Blob {
	var blobs []Blob
	for n, digest := range baseLayerDigests {
		b := virtualLayer(docker, n, baseLayerSize)
		b.Digest = digest
		blobs = append(blobs, b)
	}
	return blobs
}

func virtualLayer(docker bool, n int, size int64) Blob {
	e := Zeros(fmt.Sprintf("usr/share/base/%d.img", n), max(size-512-1024, 0)&^511)
	head, err := e.headerBytes()
	if err != nil { // the name is short and the size positive
		panic(err)
	}
	total := int64(len(head)) + e.Zeros + 1024
	blocks := (total + storedBlock - 1) / storedBlock
	return Blob{
		Descriptor: Descriptor{MediaType: layerType(docker, Gzip), Size: 10 + total + 5*blocks + 8},
		generate:   func(w io.Writer) error { return writeStored(w, head, total) },
	}
}

const storedBlock = 65535 // what one stored block of deflate can hold

// writeStored writes a gzip stream of head and zeros, total bytes unpacked, in
// stored blocks (RFC 1951, 3.2.4).
func writeStored(w io.Writer, head []byte, total int64) error {
	if _, err := w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}); err != nil {
		return err
	}
	block := bytes.NewBuffer(make([]byte, 0, storedBlock+5))
	zeros := make([]byte, storedBlock)
	crc := uint32(0)
	for remaining := total; remaining > 0; {
		n := min(remaining, storedBlock)
		remaining -= n
		block.Reset()
		final := byte(0)
		if remaining == 0 {
			final = 1
		}
		block.WriteByte(final)
		_ = binary.Write(block, binary.LittleEndian, [2]uint16{uint16(n), ^uint16(n)})
		block.Write(head)
		block.Write(zeros[:n-int64(len(head))])
		head = nil
		crc = crc32.Update(crc, crc32.IEEETable, block.Bytes()[5:])
		if _, err := w.Write(block.Bytes()); err != nil {
			return err
		}
	}
	return binary.Write(w, binary.LittleEndian, [2]uint32{crc, uint32(total)})
}

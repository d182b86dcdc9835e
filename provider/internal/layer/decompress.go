package layer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds what one zstd decoder remembers. RFC 8878 recommends that
// decoders take 8 MB; encoders do not go beyond unless told to ("zstd --long",
// "--ultra"). It is memory held for as long as a layer takes to come in, however
// slowly, and so by more layers than are decoded at once.
const maxWindow = 8 << 20

// decompress looks at the bytes, not at the media type: registries hold layers
// of either kind under the other's type, and containers/image looks too.
func decompress(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() { _ = z.Close() }, nil
	case bytes.HasPrefix(magic, zstdMagic):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return windowed{z}, z.Close, nil
	}
	return b, func() {}, nil
}

// windowed says which limit of a zstd decoder was met.
type windowed struct{ r io.Reader }

func (w windowed) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	// The second is what a frame of a single segment gets, whose content is its window.
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = &LimitError{fmt.Sprintf("a zstd layer needs a window of more than %d bytes", maxWindow)}
	}
	return n, err
}

// LimitError says that content is larger than allowed.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What }

// bounded reads at most left bytes, then fails; and when stopped says so.
type bounded struct {
	r         io.Reader
	remaining int64
	limit     int64
	stopped   func() error
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.stopped(); err != nil {
		return 0, err
	}
	if int64(len(p)) > b.remaining+1 {
		p = p[:b.remaining+1]
	}
	n, err := b.r.Read(p)
	if b.remaining -= int64(n); b.remaining < 0 {
		return n, &LimitError{fmt.Sprintf("a layer unpacks to more than %d bytes", b.limit)}
	}
	return n, err
}

package registry

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
)

// headSize is how much of a body tells a web page from anything else.
const headSize = 64

// verifier hashes what is read through it. What has been read means nothing
// until verify says that it was good.
type verifier struct {
	from io.Reader
	want v1.Hash
	size int64 // that the descriptor promises
	hash hash.Hash
	n    int64
	head []byte // what it begins with
	err  error  // of from, io.EOF aside; it decides
	eof  bool
}

func newVerifier(from io.Reader, want v1.Hash, size int64) (*verifier, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return nil, fail(provider.ClassMalformed, err)
	}
	return &verifier{from: from, want: want, size: size, hash: h}, nil
}

// Read reads to the size promised plus one byte, and not further.
func (v *verifier) Read(p []byte) (int, error) {
	switch {
	case v.err != nil:
		return 0, v.err
	case v.eof, v.n > v.size:
		return 0, io.EOF
	}
	if remaining := v.size + 1 - v.n; int64(len(p)) > remaining {
		p = p[:remaining]
	}
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	if missing := headSize - len(v.head); missing > 0 {
		v.head = append(v.head, p[:min(n, missing)]...)
	}
	switch err {
	case nil:
	case io.EOF:
		v.eof = true
	default:
		v.err = err
	}
	return n, err
}

// verify reads what is left, and reports whether the bytes are those promised. What
// a decoder made of them is to be asked only then: of a tampered blob it would
// say that the image is broken.
func (v *verifier) verify() error {
	buf := make([]byte, 32<<10)
	for !v.eof && v.err == nil && v.n <= v.size {
		_, _ = v.Read(buf)
	}
	switch got := hex.EncodeToString(v.hash.Sum(nil)); {
	case v.err != nil:
		return v.err
	case v.n > v.size:
		return fail(provider.ClassDigest, fmt.Errorf("more than the %d bytes that %s has", v.size, v.want))
	case v.n < v.size:
		return fail(provider.ClassDigest, fmt.Errorf("%d bytes where %s has %d", v.n, v.want, v.size))
	case got != v.want.Hex:
		return fail(provider.ClassDigest, fmt.Errorf("the bytes are %s:%s, not %s", v.want.Algorithm, got, v.want))
	}
	return nil
}

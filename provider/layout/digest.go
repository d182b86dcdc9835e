package layout

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync/atomic"

	"github.com/mirrorchain/mirrorchain/provider"
)

// hasher returns the hash of a digest; the error says why there is none.
func hasher(digest string) (hash.Hash, error) {
	algorithm, text, _ := strings.Cut(digest, ":")
	var h hash.Hash
	switch algorithm {
	case "sha256":
		h = sha256.New()
	case "sha512":
		h = sha512.New()
	default:
		return nil, fmt.Errorf("digest %.100q: only sha256 and sha512 digests can be verified", digest)
	}
	if len(text) != 2*h.Size() || strings.Trim(text, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("digest %.100q: want %d hexadecimal digits", digest, 2*h.Size())
	}
	return h, nil
}

func fail(class provider.Class, err error) error { return &provider.Error{Class: class, Err: err} }

// verifier reads a file and hashes it. What it read means nothing until verify is nil.
type verifier struct {
	ctx    context.Context
	from   io.Reader
	digest string
	in     string // where f is
	hash   hash.Hash
	read   *atomic.Int64 // counts bytes, if not nil
	err    error         // of the disk, or of the context
}

// verify reads f as the content of digest, which has size bytes.
func verify(ctx context.Context, f *file, digest string, size int64) (*verifier, error) {
	h, err := hasher(digest)
	if err != nil {
		return nil, fail(provider.ClassMalformed, err)
	}
	if f.size != size {
		return nil, fail(provider.ClassDigest, fmt.Errorf("the file in %s has %d bytes where %s has %d", f.in, f.size, digest, size))
	}
	return &verifier{ctx: ctx, from: io.NewSectionReader(f, 0, f.size), digest: digest, in: f.in, hash: h}, nil
}

func (v *verifier) Read(p []byte) (int, error) {
	if v.err == nil {
		v.err = v.ctx.Err()
	}
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	if v.read != nil {
		v.read.Add(int64(n))
	}
	if err != nil && err != io.EOF {
		v.err = fail(provider.ClassUnreachable, fmt.Errorf("reading %s in %s: %w", v.digest, v.in, err))
		err = v.err
	}
	return n, err
}

// verify reads the rest, and returns an error unless everything is what it should be.
func (v *verifier) verify() error {
	_, _ = io.Copy(io.Discard, struct{ io.Reader }{v}) // v.err has its error
	if v.err != nil {
		return v.err
	}
	algorithm, _, _ := strings.Cut(v.digest, ":")
	if got := algorithm + ":" + hex.EncodeToString(v.hash.Sum(nil)); got != v.digest {
		return fail(provider.ClassDigest, fmt.Errorf("the bytes in %s are %s, not %s", v.in, got, v.digest))
	}
	return nil
}

// readVerified returns the content of digest, of at most limit bytes.
func readVerified(ctx context.Context, f *file, digest string, limit int64) ([]byte, error) {
	if f.size > limit {
		return nil, fail(provider.ClassLimit, fmt.Errorf("%s has %d bytes; at most %d are read", digest, f.size, limit))
	}
	v, err := verify(ctx, f, digest, f.size)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(v)
	if judged := v.verify(); judged != nil {
		return nil, judged
	}
	return b, err
}

// digestOf returns the digest that the bytes of a file have.
func digestOf(t tree, name string) (string, error) {
	b, err := readSmall(t, name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(b)), nil
}

// classified gives an error of the disk its class.
func classified(err error) error {
	if err == nil || provider.ClassOf(err) != provider.ClassUnknown {
		return err
	}
	for _, wrong := range []error{errNotRegular, errLeadsOut, errSparse, errLinks} {
		if errors.Is(err, wrong) {
			return fail(provider.ClassMalformed, err)
		}
	}
	return fail(provider.ClassUnreachable, err)
}

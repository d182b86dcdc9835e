package registry

import (
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Content reads one manifest or index as it is. It takes one request.
func (p *Provider) Content(ctx context.Context, req provider.Request) (provider.Content, error) {
	if err := p.check(&req); err != nil {
		return nil, err
	}
	s := p.sourceOf(req)
	if err := knownDigest(s.ref.Digest()); err != nil {
		return nil, located(s.ref, "", fail(provider.ClassInvalid, err))
	}
	v, doc, err := p.document(ctx, s, s.ref.Identifier(), nil, "")
	if err != nil {
		return nil, located(s.ref, "reading the manifest", err)
	}
	c := &content{p: p, source: s, verified: v, mediaType: string(doc.MediaType)}
	if doc.isIndex() {
		c.platforms = platformDigests(doc.Manifests)
	}
	return c, nil
}

// content implements [provider.Content].
type content struct {
	verified
	p         *Provider
	source    source
	mediaType string
	platforms []provider.PlatformDigest
}

func (c *content) Manifest() []byte                     { return c.body }
func (c *content) MediaType() string                    { return c.mediaType }
func (c *content) Digest() string                       { return c.digest }
func (c *content) Platforms() []provider.PlatformDigest { return c.platforms }
func (c *content) PulledFrom() imageref.Ref             { return c.source.ref }

func (c *content) Blob(ctx context.Context, digest string, size, offset int64) (io.ReadCloser, error) {
	hash, err := v1.NewHash(digest)
	if err == nil && (size < 0 || offset < 0 || offset > size) {
		err = fmt.Errorf("no byte %d in a blob of %d bytes", offset, size)
	}
	if err != nil {
		return nil, located(c.source.ref, "reading a blob", fail(provider.ClassInvalid, err))
	}
	body, err := c.p.openBlobFrom(ctx, c.source, v1.Descriptor{Digest: hash, Size: size}, offset)
	if err != nil {
		return nil, located(c.source.ref, "reading "+digest, err)
	}
	r := &blobReader{ref: c.source.ref, digest: digest, body: body, from: io.LimitReader(body, size-offset)}
	if offset == 0 {
		if r.verifier, err = newVerifier(body, hash, size); err != nil {
			return nil, located(c.source.ref, "reading "+digest, err)
		}
		r.from = r.verifier
	}
	return r, nil
}

// blobReader reads a blob, and verifies it where it is read from its start.
type blobReader struct {
	ref      imageref.Ref
	digest   string
	body     *blobBody
	from     io.Reader
	verifier *verifier // nil for a part
}

func (r *blobReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err == io.EOF && r.verifier != nil {
		if judged := r.verifier.verify(); judged != nil {
			err = judged
		}
	}
	if err != nil && err != io.EOF {
		err = located(r.ref, "reading "+r.digest, err)
	}
	return n, err
}

func (r *blobReader) Close() error {
	r.body.resp.Close()
	return nil
}

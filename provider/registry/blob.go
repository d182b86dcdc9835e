package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// readBlob asks for a blob of at most limit bytes and calls read, which reads and judges
// it. If a proxy compressed the body, only the digest shows that, at the end. Then the blob
// is asked for once more, and read without the encoding of the proxy.
func (p *Provider) readBlob(ctx context.Context, s source, d v1.Descriptor, limit int64, read func(*verifier) error) error {
	switch {
	case d.Size < 0:
		return fail(provider.ClassMalformed, fmt.Errorf("the manifest says that %s has %d bytes", d.Digest, d.Size))
	case d.Size > limit:
		return fail(provider.ClassLimit, fmt.Errorf("%s has %d bytes; at most %d are read", d.Digest, d.Size, limit))
	}
	encoded, err := p.readBlobAs(ctx, s, d, false, read)
	if encoded && provider.ClassOf(err) == provider.ClassDigest {
		_, err = p.readBlobAs(ctx, s, d, true, read)
	}
	return err
}

// readBlobAs does what readBlob does, with one request. encoded reports whether the
// body may be right without its encoding.
func (p *Provider) readBlobAs(ctx context.Context, s source, d v1.Descriptor, decode bool, read func(*verifier) error) (encoded bool, _ error) {
	b, err := p.openBlob(ctx, s, d)
	if err != nil {
		return false, err
	}
	defer func() { b.resp.Close() }()
	var from io.Reader = b
	switch size := b.resp.Size; {
	case b.resp.Gzipped() && (decode || size >= 0 && size != d.Size):
		from = b.resp.Unzipped()
	case size >= 0 && size != d.Size:
		head, _ := io.ReadAll(io.LimitReader(b.resp, headSize))
		if page := b.resp.Page(head); page != nil {
			return false, page
		}
		return false, fail(provider.ClassDigest, fmt.Errorf("%d bytes are offered for %s, which has %d", size, d.Digest, d.Size))
	default:
		encoded = b.resp.Gzipped() && size < 0
	}
	v, err := newVerifier(from, d.Digest, d.Size)
	if err != nil {
		return false, err
	}
	err = read(v)
	if provider.ClassOf(err) == provider.ClassDigest {
		if page := b.resp.Page(v.head); page != nil {
			return false, page
		}
	}
	return encoded, err
}

// openBlob asks for a blob. The URLs that a descriptor of a foreign layer may have are
// not used: they are an image's word on whom to ask.
func (p *Provider) openBlob(ctx context.Context, s source, d v1.Descriptor) (*blobBody, error) {
	return p.openBlobFrom(ctx, s, d, 0)
}

// openBlobFrom does what openBlob does, from a byte on.
func (p *Provider) openBlobFrom(ctx context.Context, s source, d v1.Descriptor, from int64) (*blobBody, error) {
	b := &blobBody{ctx: ctx, p: p, source: s, digest: d.Digest.String(), size: d.Size, read: from}
	if from > 0 {
		return b, b.resume()
	}
	resp, err := p.get(ctx, s, "blobs/"+b.digest, nil, "")
	if err != nil {
		return nil, err
	}
	b.resp = resp
	return b, nil
}

// blobBody is the body of a blob. Where the connection breaks, it asks for the rest.
type blobBody struct {
	ctx    context.Context
	p      *Provider
	source source
	digest string
	size   int64 // that it has

	resp    *wire.Response
	read    int64
	began   int64 // what was read before resp
	resumed bool  // although little had come since
	resent  bool  // it was sent again from the start
}

// muchRead is what must have come over a connection for the next one to be worth it. A
// host that breaks sooner gets one more.
const muchRead = 1 << 20

func (b *blobBody) Read(p []byte) (int, error) {
	n, err := b.resp.Read(p)
	b.read += int64(n)
	if err == nil || err == io.EOF {
		return n, err
	}
	if b.mayResume(err) && b.resume() == nil {
		return n, nil
	}
	return n, cutOff(err, "%d of %d bytes", b.read, b.size)
}

// mayResume reports whether the connection broke, and asking again may help. A host that
// has become silent is left to the limits: there may be another.
func (b *blobBody) mayResume(err error) bool {
	if provider.ClassOf(err) != provider.ClassUnreachable || b.ctx.Err() != nil || b.resp.Gzipped() {
		return false
	}
	if b.read-b.began >= muchRead {
		return true
	}
	first := !b.resumed
	b.resumed = true
	return first
}

// resume asks for what is missing. A registry that knows no ranges sends everything
// again, which is good once.
func (b *blobBody) resume() error {
	if b.resp != nil {
		b.resp.Close()
	}
	resp, err := b.p.send(b.ctx, b.source, wire.Request{Path: b.source.path("blobs/" + b.digest), From: b.read})
	if err != nil {
		return err
	}
	from, ok := resp.From()
	switch {
	case ok && from == b.read:
	case !ok && (b.read == 0 || !b.resent):
		b.resent = b.resent || b.read > 0
		if _, err := io.CopyN(io.Discard, resp, b.read); err != nil {
			resp.Close()
			return err
		}
	default:
		resp.Close()
		return errors.New("another part than was asked for")
	}
	b.resp, b.began = resp, b.read
	return nil
}

// cutOff adds to the failure of a connection how far the body has come.
func cutOff(err error, format string, args ...any) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassUnreachable {
		return err
	}
	c := *e
	c.Err = fmt.Errorf("cut off after "+format+": %w", append(args, e.Err)...)
	return &c
}

// smallBlob returns a whole verified blob.
func (p *Provider) smallBlob(ctx context.Context, s source, d v1.Descriptor, limit int64) (content []byte, _ error) {
	err := p.readBlob(ctx, s, d, limit, func(v *verifier) error {
		b, err := io.ReadAll(v)
		if judged := v.verify(); judged != nil {
			return judged
		}
		if err != nil { // verify has the reader's own error; there is no other
			return fail(provider.ClassUnknown, errors.New("a blob could not be read"))
		}
		content = b
		return nil
	})
	return content, err
}

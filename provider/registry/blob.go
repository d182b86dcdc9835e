package registry

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
)

// blob asks for a blob of at most limit bytes. The URLs that a descriptor of a
// foreign layer may have are not used: they are an image's word on whom to ask.
func (p *Provider) blob(ctx context.Context, s source, d v1.Descriptor, limit int64) (_ *verifier, done func(), _ error) {
	switch {
	case d.Size < 0:
		return nil, nil, fail(provider.ClassMalformed, fmt.Errorf("the manifest says that %s has %d bytes", d.Digest, d.Size))
	case d.Size > limit:
		return nil, nil, fail(provider.ClassLimit, fmt.Errorf("%s has %d bytes; at most %d are read", d.Digest, d.Size, limit))
	}
	resp, err := p.get(ctx, s, "blobs/"+d.Digest.String(), "", "")
	if err != nil {
		return nil, nil, err
	}
	if resp.Size >= 0 && resp.Size != d.Size {
		resp.Close()
		return nil, nil, fail(provider.ClassDigest, fmt.Errorf("%d bytes are offered for %s, which has %d", resp.Size, d.Digest, d.Size))
	}
	v, err := newVerifier(resp, d.Digest, d.Size)
	if err != nil {
		resp.Close()
		return nil, nil, err
	}
	return v, resp.Close, nil
}

// smallBlob is a whole verified blob.
func (p *Provider) smallBlob(ctx context.Context, s source, d v1.Descriptor, limit int64) ([]byte, error) {
	v, done, err := p.blob(ctx, s, d, limit)
	if err != nil {
		return nil, err
	}
	defer done()
	b, err := io.ReadAll(v)
	if judged := v.judge(); judged != nil {
		return nil, judged
	}
	if err != nil { // judge has the reader's own error; there is no other
		return nil, fail(provider.ClassUnknown, errors.New("a blob could not be read"))
	}
	return b, nil
}

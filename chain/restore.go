package chain

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/provider"
)

// kept is what a provider, or one below it, keeps on disk.
type kept struct{ by provider.Restorer } // nil: nothing

func keptBy(p provider.ReleaseProvider) kept {
	r, err := provider.As[provider.Restorer](p)
	if err != nil {
		return kept{}
	}
	return kept{r}
}

// restore reads a release from what is kept. No registry is asked.
func (k kept) restore(ctx context.Context, req provider.Request, of contentKey) (*provider.Release, error) {
	if k.by == nil {
		return nil, &provider.Error{Op: "reading what is kept", Ref: req.Image, Class: provider.ClassNotFound, Err: errors.New("nothing is kept")}
	}
	release, err := k.by.Restore(ctx, req, of.digest, of.platform)
	if err == nil && release.Digest() != of.digest {
		return nil, mismatch(&req, release.Digest())
	}
	return release, err
}

// Unwrap returns the provider below, which must be a [provider.Restorer] for m to be one.
func (m *mirrors) Unwrap() provider.ReleaseProvider { return m.next }

// Restore forwards [provider.Restorer]: what is kept concerns no endpoint.
func (m *mirrors) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	return m.kept.restore(ctx, req, contentKey{digest, platform})
}

// Unwrap returns the provider below, which must be a [provider.Restorer] for s to be one.
func (s *store) Unwrap() provider.ReleaseProvider { return s.next }

// Restore returns what the store holds, or what is kept below it.
func (s *store) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	of := contentKey{digest, platform}
	if r, ok := s.content.get(&of); ok {
		return serve(&req, r), nil
	}
	return s.kept.restore(ctx, req, of)
}

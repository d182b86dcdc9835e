package chain

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/provider"
)

// restore reads a release from what is kept by next or below it. Nobody is asked.
func restore(ctx context.Context, next provider.ReleaseProvider, req provider.Request, of contentKey) (*provider.Release, error) {
	r, ok := next.(provider.Restorer)
	if !ok {
		return nil, notKept(&req)
	}
	release, err := r.Restore(ctx, req, of.digest, of.platform)
	if err == nil && release.Digest() != of.digest {
		return nil, mismatch(&req, release.Digest())
	}
	return release, err
}

func notKept(req *provider.Request) error {
	return &provider.Error{Op: "reading what is kept", Ref: req.Image, Class: provider.ClassNotFound, Err: errors.New("nothing is kept")}
}

// Restore forwards [provider.Restorer]: what is kept concerns no endpoint.
func (m *mirrors) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	return restore(ctx, m.next, req, contentKey{digest, platform})
}

// Restore is what the store holds, or what is kept below it.
func (s *store) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	of := contentKey{digest, platform}
	if r, ok := s.content.get(&of); ok {
		return serve(&req, r), nil
	}
	return restore(ctx, s.next, req, of)
}

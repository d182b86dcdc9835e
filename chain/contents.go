package chain

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Contents does for manifests as they are what [Mirrors] does for releases: base is
// asked for the candidates that the rules name, in order, with hedges for digests.
// current returns the rules in force and is called once per manifest.
//
// Blobs are read where the manifest came from, and nowhere else, so a caller that has
// read a part of one knows which endpoint sent it. To read from another endpoint, ask
// for the manifest again. It is an error if base or current is nil.
func Contents(base provider.ContentProvider, current func() *policy.Rules, cfg MirrorsConfig) (provider.ContentProvider, error) {
	if base == nil {
		return nil, errors.New("chain: no base provider")
	}
	if current == nil {
		return nil, errors.New("chain: no function for the current rules")
	}
	e := newEngine(cfg, nil)
	return provider.ContentFunc(func(ctx context.Context, req provider.Request) (provider.Content, error) {
		cands, err := pin(&req, current)
		if err != nil {
			return nil, err
		}
		a, err := run(ctx, e, failover.Query[provider.Content]{
			Request: req, Ask: base.Content, Limit: e.attempt, ByDigest: req.Image.Digest() != "",
		}, cands)
		return a.Value, err
	}), nil
}

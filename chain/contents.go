package chain

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Contents does for raw manifests what [Mirrors] does for releases: base is asked for the
// candidates that the rules name, in order, with hedges for digests. current returns the
// rules in force and is called once per manifest. It is an error if base or current is nil.
//
// Blobs are read only from the endpoint that sent the manifest, so a caller that has read a
// part of one knows where it came from. To read from another endpoint, ask for the manifest
// again.
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

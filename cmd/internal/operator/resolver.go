package operator

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

// NewResolver returns the resolver of an operator's sources. A policy or a document that
// cannot be read at the start, such as one of a later version, is a state and no error:
// /readyz names it, nothing is reconciled, and what mends it is followed. Later on the
// last good rules stay in force meanwhile. log may be nil.
func NewResolver(ctx context.Context, log *zap.Logger, srcs ...policy.OverrideSource) (*sources.Resolver, error) {
	r, err := sources.NewResolver(ctx, sources.ResolverConfig{Log: Slog(log), TolerateInvalid: true}, srcs...)
	if err != nil {
		return nil, fmt.Errorf("reading the mirror policies: %w", err)
	}
	return r, nil
}

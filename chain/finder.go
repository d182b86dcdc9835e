package chain

import (
	"context"
	"errors"
	"slices"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// FinderConfig configures [NewFinder].
type FinderConfig struct {
	MirrorsConfig
	// MirrorsOnly leaves out the source of images for which the rules name a mirror.
	// Find then says what the mirrors hold. Images without a mirror are still looked
	// for at their source.
	MirrorsOnly bool
}

// Finder finds out whether an image is available, and where, without reading it. It
// asks the same candidates as [Mirrors], but one after another, without hedges. It is
// safe for concurrent use.
type Finder struct {
	engine      *engine
	base        provider.HeadProvider
	current     func() *policy.Rules
	mirrorsOnly bool
}

// Found says where an image is.
type Found struct {
	// Digest is the digest that the reference names: that of the index if there is one.
	Digest string
	// From is the candidate that has it.
	From imageref.Ref
	// Attempts are the attempts that were made, in order. The last one is at From.
	Attempts []provider.Attempt
}

// NewFinder returns a Finder that asks through base. current returns the rules in force
// and is called once per image. It is an error if base or current is nil.
func NewFinder(base provider.HeadProvider, current func() *policy.Rules, cfg FinderConfig) (*Finder, error) {
	if base == nil {
		return nil, errors.New("chain: no base provider")
	}
	if current == nil {
		return nil, errors.New("chain: no function for the current rules")
	}
	return &Finder{newEngine(cfg.MirrorsConfig, nil), base, current, cfg.MirrorsOnly}, nil
}

// Find asks for the image until an endpoint has it. Errors are those of a lookup
// through [Mirrors]: an [*Error] lists every endpoint and the reason why it failed.
func (f *Finder) Find(ctx context.Context, req provider.Request) (Found, error) {
	cands, err := pin(&req, f.current)
	if err != nil {
		return Found{}, err
	}
	if f.mirrorsOnly && slices.ContainsFunc(cands, isMirror) {
		cands = slices.DeleteFunc(cands, func(c policy.Candidate) bool { return !c.Mirror })
	}
	a, err := run(ctx, f.engine, failover.Query[string]{Request: req, Ask: f.base.Head, Limit: f.engine.attempt}, cands)
	if err != nil {
		return Found{}, err
	}
	return Found{Digest: a.Value, From: a.From.Ref, Attempts: a.Attempts}, nil
}

func isMirror(c policy.Candidate) bool { return c.Mirror }

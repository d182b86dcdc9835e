package chain

import (
	"context"
	"errors"
	"slices"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ProbesConfig configures [NewProbes].
type ProbesConfig struct {
	MirrorsConfig
	// MirrorsOnly leaves the source out for images that the rules name a mirror for:
	// the question is then what the mirrors have. Images without a mirror are asked
	// for at their source all the same.
	MirrorsOnly bool
}

// Probes is [Mirrors] for the question whether an image is to be had, and where. It
// is safe for concurrent use.
type Probes struct {
	engine  *engine
	base    provider.HeadProvider
	current func() *policy.Rules
	only    bool
}

// Found says where an image is.
type Found struct {
	// Digest is that of what the reference names, an index itself where it is one.
	Digest string
	// From is the endpoint that has it.
	From imageref.Ref
	// Attempts are all endpoints that were asked, in order, From the last.
	Attempts []provider.Attempt
}

// NewProbes has base ask the candidates that the current rules name, in order, one
// after another. A nil base or current is an error.
func NewProbes(base provider.HeadProvider, current func() *policy.Rules, cfg ProbesConfig) (*Probes, error) {
	if base == nil {
		return nil, errors.New("chain: no base provider")
	}
	if current == nil {
		return nil, errors.New("chain: no function for the current rules")
	}
	return &Probes{newEngine(cfg.MirrorsConfig, nil), base, current, cfg.MirrorsOnly}, nil
}

// Find asks for the image until an endpoint has it. Rules are pinned per image as
// [New] does it. Errors are those of a lookup through [Mirrors]: an [*Error] lists
// every endpoint and why it failed.
func (p *Probes) Find(ctx context.Context, req provider.Request) (Found, error) {
	if err := req.Validate(); err != nil {
		return Found{}, err
	}
	if req.Rules == nil {
		req.Rules = p.current()
	}
	cands, err := candidates(&req)
	if err != nil {
		return Found{}, err
	}
	if p.only && slices.ContainsFunc(cands, isMirror) {
		cands = slices.DeleteFunc(cands, func(c policy.Candidate) bool { return !c.Mirror })
	}
	s := search[string]{engine: p.engine, req: req, ask: p.base.Head, limit: p.engine.Attempt}
	a, err := s.over(ctx, cands)
	if err != nil {
		return Found{}, err
	}
	return Found{Digest: a.value, From: a.from.Ref, Attempts: a.attempts}, nil
}

func isMirror(c policy.Candidate) bool { return c.Mirror }

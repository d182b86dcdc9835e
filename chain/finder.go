package chain

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// FinderConfig configures [NewFinder].
type FinderConfig struct {
	MirrorsConfig
	// MirrorsOnly leaves out the source, so that Find says what the mirrors hold. An image
	// for which the rules name no mirror is still looked for at its source.
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
	// Attempts are the attempts that were made, in order. The last one is at From; after
	// [Finder.FindAll] there is one for each candidate.
	Attempts []provider.Attempt
	// Digests are the digests at all candidates that have the image, after
	// [Finder.FindAll]. For a tag they may differ.
	Digests map[imageref.Ref]string
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
	cands, err := f.candidates(&req)
	if err != nil {
		return Found{}, err
	}
	a, err := f.ask(ctx, req, cands...)
	if err != nil {
		return Found{}, err
	}
	return Found{Digest: a.Value, From: a.From.Ref, Attempts: a.Attempts}, nil
}

// FindAll asks all candidates, at the same time, and waits for all of them. The result is
// that of the first one in order that has the image, with what the others answered. If
// none has it, the error is that of Find.
func (f *Finder) FindAll(ctx context.Context, req provider.Request) (Found, error) {
	cands, err := f.candidates(&req)
	if err != nil {
		return Found{}, err
	}
	answers := make([]failover.Answer[string], len(cands))
	errs := make([]error, len(cands))
	var wg sync.WaitGroup
	for i, c := range cands {
		wg.Go(func() { answers[i], errs[i] = f.ask(ctx, req, c) })
	}
	wg.Wait()
	found := Found{Digests: make(map[imageref.Ref]string)}
	for i, c := range cands {
		if errs[i] == nil {
			found.Digests[c.Ref] = answers[i].Value
			found.Attempts = append(found.Attempts, answers[i].Attempts...)
			if found.From.IsZero() {
				found.Digest, found.From = answers[i].Value, c.Ref
			}
			continue
		}
		e, ok := errors.AsType[*Error](errs[i])
		if !ok {
			return Found{}, errs[i]
		}
		for _, a := range e.Attempts {
			if a.Ref == c.Ref { // the rest is what policy blocks, once for each candidate
				found.Attempts = append(found.Attempts, a)
			}
		}
	}
	if !found.From.IsZero() {
		return found, nil
	}
	if ctx.Err() != nil && len(errs) > 0 {
		return Found{}, errs[0]
	}
	return Found{}, newError(&req, append(found.Attempts, refusals(&req)...), nil)
}

// candidates returns where req is looked for.
func (f *Finder) candidates(req *provider.Request) ([]policy.Candidate, error) {
	cands, err := pin(req, f.current)
	if err == nil && f.mirrorsOnly && slices.ContainsFunc(cands, isMirror) {
		cands = slices.DeleteFunc(cands, func(c policy.Candidate) bool { return !c.Mirror })
	}
	return cands, err
}

func (f *Finder) ask(ctx context.Context, req provider.Request, cands ...policy.Candidate) (failover.Answer[string], error) {
	return run(ctx, f.engine, failover.Query[string]{Request: req, Ask: f.base.Head, Limit: f.engine.attempt}, cands)
}

func isMirror(c policy.Candidate) bool { return c.Mirror }

package chain

import (
	"context"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// MirrorsConfig configures [Mirrors] and [Images].
type MirrorsConfig struct {
	// Attempt limits one attempt as a whole; 60 s if zero. Limits on connecting,
	// on the first byte and on silence are the base provider's.
	Attempt time.Duration
	// Files limits the reading of an image's files from one endpoint, which may
	// be large layers; 10 min if zero. Only [Images] uses it.
	Files time.Duration
	// Retries is how often a candidate that may recover is asked again when no
	// other is left; 3 if zero, never if negative.
	Retries int
	// RetryDelay is the wait before the first retry; 200 ms if zero. It doubles
	// each time, and half of it is random.
	RetryDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that is waited for; 30 s if zero. An
	// endpoint that asks for more is not asked again.
	MaxRetryAfter time.Duration
	// Observer is told of attempts and retries. In a chain nil means the observer
	// of its [Observe] layer.
	Observer Observer
}

func (c MirrorsConfig) withDefaults() MirrorsConfig {
	c.Attempt = or(c.Attempt, 60*time.Second)
	c.Files = or(c.Files, 10*time.Minute)
	c.Retries = or(c.Retries, 3)
	c.RetryDelay = or(c.RetryDelay, 200*time.Millisecond)
	c.MaxRetryAfter = or(c.MaxRetryAfter, 30*time.Second)
	return c
}

func or[T int | int64 | time.Duration](v, ifZero T) T {
	if v == 0 {
		return ifZero
	}
	return v
}

// Mirrors asks the candidates that the rules name for the request's image, in
// their order, until one answers with a whole, verified release. Whatever goes
// wrong with one leads to the next, and is recorded in the release's Attempts.
//
// No candidate may use up the time of those behind it: the time until the caller's
// deadline is divided among those that are left. When none is left, endpoints that
// answered 429 or 5xx are asked again, with growing waits, as long as a wait fits
// into that time. If all is in vain the error is an [*Error] that lists every
// attempt and every endpoint that policy blocks. The end of the caller's own
// context ends the lookup at once, and so does an error of [provider.ClassInvalid]
// from below: what is wrong with the request is so everywhere.
//
// Endpoints that are no candidates, a source under NeverContactSource among them,
// are never contacted.
//
// It stands below Cache, so that a warm lookup computes no candidates, and above
// Store, whose proofs are per endpoint.
func Mirrors(cfg MirrorsConfig) Layer {
	return layer("mirrors", []string{"store"}, func(o Observer) Middleware {
		e := newEngine(cfg, o)
		return func(next provider.ReleaseProvider) provider.ReleaseProvider {
			return &mirrors{engine: e, next: next}
		}
	})
}

func newEngine(cfg MirrorsConfig, o Observer) *engine {
	cfg = cfg.withDefaults()
	if cfg.Observer == nil {
		cfg.Observer = o
	}
	return &engine{cfg}
}

type mirrors struct {
	*engine
	next provider.ReleaseProvider
}

func (m *mirrors) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	cands, err := candidates(&req)
	if err != nil {
		return nil, err
	}
	s := search[*provider.Release]{engine: m.engine, req: req, ask: m.next.Lookup, limit: m.Attempt}
	a, err := s.over(ctx, cands)
	if err != nil {
		return nil, err
	}
	return a.value.Serve(provider.Served{
		Image: req.Image, PulledFrom: a.from.Ref, Stale: a.value.Stale(), Attempts: a.attempts,
	}), nil
}

// candidates are those of the request's rules.
func candidates(req *provider.Request) ([]provider.Candidate, error) {
	if req.Rules == nil {
		return nil, provider.ErrNoRules
	}
	cands, err := req.Rules.Candidates(req.Image)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", req.Image, err)
	}
	return cands, nil
}

package chain

import (
	"context"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
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
	// Health is what is known of registry hosts. Give one to all chains and Images
	// of a program, so that what one finds out the others know; nil is one of its
	// own, with defaults.
	Health *health.Health
	// HedgeUnknown is how long a mirror on a host that never answered yet may be
	// silent before the next mirror is asked as well; 300 ms if zero.
	HedgeUnknown time.Duration
	// HedgeKnown is the same for a host that is known; 100 ms if zero, and always
	// at least twice what that host usually takes.
	HedgeKnown time.Duration
	// Parallel is how many mirrors one lookup asks at once, at most, beside a probe
	// of a sick one; 3 if zero. With 1 none is asked before the one ahead of it has
	// failed.
	Parallel int
	// Observer is told of attempts, hedges, retries and changes of health. In a chain nil means the observer
	// of its [Observe] layer.
	Observer Observer
}

func (c MirrorsConfig) withDefaults() MirrorsConfig {
	c.Attempt = or(c.Attempt, 60*time.Second)
	c.Files = or(c.Files, 10*time.Minute)
	c.Retries = or(c.Retries, 3)
	c.RetryDelay = or(c.RetryDelay, 200*time.Millisecond)
	if c.Health == nil {
		c.Health = health.New(health.Config{})
	}
	c.HedgeUnknown = or(c.HedgeUnknown, 300*time.Millisecond)
	c.HedgeKnown = or(c.HedgeKnown, 100*time.Millisecond)
	c.Parallel = or(c.Parallel, 3)
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
// A lookup by digest does not wait long for a mirror that is silent: when it has not
// begun to answer after a while (HedgeUnknown, HedgeKnown), the next mirror is asked
// as well, the first good answer is the answer, and the others are given up. One that
// has begun is waited for. A lookup by tag asks one after another, since two mirrors
// may hold different images under one tag.
//
// Mirrors on hosts that failed are asked behind the others, see package
// [github.com/mirrorchain/mirrorchain/chain/health], and never left out. Now and then
// one of them is asked beside the first healthy one, as a probe, which no caller waits
// for. Only mirrors that follow one another in the policy's order change places. The
// source keeps its own: it is asked when all mirrors ahead of it have failed, never
// beside them, and those behind it, if policy has it so, when it has.
//
// A mirror on a host that failed, which nobody healthy stands beside, is asked in its
// place, but not waited for as long as it is silent while others stand behind it: they
// are asked after HedgeUnknown or HedgeKnown. Only where the host is due to be probed
// it has all its time, and where nobody else answers either.
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
// are never contacted. When a lookup returns, all attempts have ended but a probe that
// has shown nothing yet: that one goes on by itself until it has, for about a second.
// What a Store below reads for several callers is not of one lookup, and ends as
// [Store] says.
//
// It stands below Cache, so that a warm lookup computes no candidates, and above
// Store, whose proofs are per endpoint.
func Mirrors(cfg MirrorsConfig) Layer {
	return layer("mirrors", []string{"store"}, func(o Observer) Middleware {
		e := newEngine(cfg, o)
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return &mirrors{engine: e, next: next, kept: keptBy(next)}, nil
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
	kept kept
}

func (m *mirrors) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	cands, err := candidates(&req)
	if err != nil {
		return nil, err
	}
	s := search[*provider.Release]{engine: m.engine, req: req, ask: m.next.Lookup, limit: m.Attempt, byDigest: req.Image.Digest() != ""}
	a, err := s.over(ctx, cands)
	if err != nil {
		return nil, err
	}
	return a.value.WithAnswer(provider.Answer{
		Image: req.Image, PulledFrom: a.from.Ref, Stale: a.value.Stale(), Attempts: a.attempts,
	}), nil
}

// candidates are those of the request's rules.
func candidates(req *provider.Request) ([]policy.Candidate, error) {
	if req.Rules == nil {
		return nil, provider.ErrNoRules
	}
	cands, err := req.Rules.Candidates(req.Image)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", req.Image, err)
	}
	return cands, nil
}

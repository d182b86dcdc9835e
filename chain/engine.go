package chain

import (
	"context"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// MirrorsConfig configures [Mirrors], [Images] and [NewFinder]. The zero value has the
// defaults.
type MirrorsConfig struct {
	// Attempt bounds one attempt as a whole; 60 s if zero. The last candidate may take
	// until the caller's deadline, if there is one. Limits on connecting, on the first
	// byte and on silence are those of the base provider.
	Attempt time.Duration
	// Files bounds the reading of an image's files from one endpoint, which may be
	// large layers; 10 min if zero. Only [Images] uses it.
	Files time.Duration
	// Retries is how often a candidate that answered 429 or 5xx is asked again after all
	// candidates have failed; 3 if zero, never if negative.
	Retries int
	// RetryDelay is the time before the first retry; 200 ms if zero. It doubles with
	// each retry. Half of it is random.
	RetryDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that a lookup waits for; 30 s if zero.
	// An endpoint that asks for more is not asked again.
	MaxRetryAfter time.Duration
	// Health holds the states of registry hosts. Give the same one to all chains,
	// Images and Finders of a program, so that they learn from one another. If it is
	// nil, a new one with defaults is used.
	Health *health.Health
	// HedgeUnknown is the hedge delay of a host that has never answered; 300 ms if
	// zero.
	HedgeUnknown time.Duration
	// HedgeKnown is the shortest hedge delay of a host that has answered; 100 ms if
	// zero. The delay is at least twice the time that the host usually takes to begin
	// an answer.
	HedgeKnown time.Duration
	// Parallel bounds how many mirrors one lookup asks at the same time, not counting a
	// background probe; 3 if zero. With 1 there are no hedges.
	Parallel int
	// Observer is told of attempts, hedges, retries and changes of health. If it is
	// nil, a chain uses the observer of its [Observe] layer.
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

// engine asks candidates, with the events and errors of this package.
type engine struct {
	attempt, files time.Duration
	failover       failover.Config
	observer       Observer // may be nil
}

// newEngine returns an engine that tells o where cfg names no observer.
func newEngine(cfg MirrorsConfig, o Observer) *engine {
	cfg = cfg.withDefaults()
	if cfg.Observer != nil {
		o = cfg.Observer
	}
	e := &engine{attempt: cfg.Attempt, files: cfg.Files, observer: o, failover: failover.Config{
		Retries: cfg.Retries, RetryDelay: cfg.RetryDelay, MaxRetryAfter: cfg.MaxRetryAfter,
		HedgeUnknown: cfg.HedgeUnknown, HedgeKnown: cfg.HedgeKnown, Parallel: cfg.Parallel, Health: cfg.Health,
		Panicked: func(value any, stack []byte) error { return newPanicError(value, stack) },
	}}
	if o != nil {
		e.failover.Observe = func(ctx context.Context, req *provider.Request, f failover.Event) {
			kind := kinds[f.Kind]
			if f.Kind == failover.HostChanged {
				kind = hostKinds[f.State]
			}
			o.Observe(ctx, Event{
				Kind: kind, Image: req.Image, Rules: rulesVersion(req), Ref: f.Ref, Err: f.Err, Took: f.Took, Wait: f.Wait, Credential: f.Owner,
			})
		}
	}
	return e
}

var (
	kinds = [...]EventKind{
		failover.AttemptDone: AttemptDone, failover.HedgeStarted: HedgeStarted,
		failover.RetryWaiting: RetryWaiting, failover.Panicked: Panicked,
	}
	hostKinds = [...]EventKind{health.Healthy: HostHealthy, health.Suspect: HostSuspect, health.Unhealthy: HostUnhealthy}
)

// run asks cands until one answers, else it returns an [*Error].
func run[T any](ctx context.Context, e *engine, q failover.Query[T], cands []policy.Candidate) (failover.Answer[T], error) {
	a, err := failover.Run(ctx, &e.failover, q, cands)
	f, failed := err.(*failover.Error)
	switch {
	case !failed:
		return a, err
	case f.Context != nil:
		return a, newError(&q.Request, f.Attempts, contextError(f.Context, f.Asking))
	}
	return a, newError(&q.Request, append(f.Attempts, refusals(&q.Request)...), nil)
}

// verdict has the request's Verifier judge what an endpoint served, and reports a refusal.
func (e *engine) verdict(ctx context.Context, req *provider.Request, served provider.Served) (*provider.Signatures, error) {
	s, err := req.Verifier.Verify(ctx, *req, served)
	refused := err
	if err == nil {
		refused = s.Err()
	}
	if e.observer != nil && provider.ClassOf(refused) == provider.ClassSignature {
		e.observer.Observe(ctx, Event{Kind: SignatureRefused, Image: served.Image, Ref: req.Image, Rules: rulesVersion(req), Err: refused})
	}
	return s, err
}

// pin validates a request that comes through no chain, pins the rules in force in it as
// a chain does, and returns its candidates.
func pin(req *provider.Request, current func() *policy.Rules) ([]policy.Candidate, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Rules == nil {
		req.Rules = current()
	}
	return candidates(req)
}

// candidates returns the candidates of the request's rules.
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

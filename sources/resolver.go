package sources

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
)

// ResolverConfig says how a [Resolver] merges and follows. The zero value works.
type ResolverConfig struct {
	// Rules chooses between readings of the policies; zero is what nodes do.
	Rules policy.RulesConfig
	// TolerateInvalid makes NewResolver accept an invalid policy: it counts as not
	// loaded yet, and [Resolver.Current] is nil until it is mended. It is for a process
	// that follows policies which others edit while it runs, as in a cluster: a wrong
	// policy does not stop such a process while it runs, so it should not keep it from
	// starting. The zero value is for policies that the person who starts the process
	// names and can mend.
	TolerateInvalid bool
	// Log reports new rules, their warnings and failing sources, when any of these
	// changes. Nil logs nothing.
	Log *slog.Logger
	// Poll is the interval at which a source that is no [policy.Watcher] is asked. It is
	// also the longest wait between two tries of a failing source. Default [DefaultPoll].
	Poll time.Duration
	// Retry is the first wait after a failed load or watch. It doubles up to Poll;
	// every wait is cut by up to a half at random. Default 1 s, at most Poll.
	Retry time.Duration
	// LoadTimeout bounds one Load. A source that takes longer counts as unreachable. Default
	// 30 s.
	LoadTimeout time.Duration
}

func (c ResolverConfig) withDefaults() ResolverConfig {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Poll <= 0 {
		c.Poll = DefaultPoll
	}
	if c.Retry <= 0 {
		c.Retry = time.Second
	}
	c.Retry = min(c.Retry, c.Poll)
	if c.LoadTimeout <= 0 {
		c.LoadTimeout = 30 * time.Second
	}
	return c
}

// Resolver merges what its sources say and follows them. All methods are safe
// for concurrent use, and none but the constructor, Start and Reload waits for a source.
type Resolver struct {
	cfg     ResolverConfig
	srcs    []*tracked
	current atomic.Pointer[policy.Rules]
	started atomic.Bool
	merging sync.Mutex // admits one merge at a time

	mu      sync.Mutex    // guards what follows and the mutable part of each tracked; never held over I/O or a merge
	swapped chan struct{} // closed and replaced when current changes
	since   time.Time     // when the version of current came into force
}

// NewResolver loads every source once, all at the same time, and merges what they
// state.
//
// It fails where waiting does not help: a source whose policy is invalid (a
// [*policy.InvalidPolicyError] is in the tree of the error), policies that cannot be
// merged, a ctx that has ended. It does not fail for a source that cannot be reached
// now: then [Resolver.Current] is nil until [Resolver.Start] has loaded every source
// once. With [ResolverConfig.TolerateInvalid] it does not fail for policies that are
// invalid or cannot be merged either.
func NewResolver(ctx context.Context, cfg ResolverConfig, srcs ...policy.OverrideSource) (*Resolver, error) {
	r := &Resolver{cfg: cfg.withDefaults(), swapped: make(chan struct{})}
	for i, src := range srcs {
		if src == nil {
			return nil, fmt.Errorf("source %d is nil", i+1)
		}
		r.srcs = append(r.srcs, &tracked{src: Poll(src, r.cfg.Poll), slot: make(slot, 1)})
	}

	errs := r.loadAll(ctx)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("loading the sources: %w", err)
	}
	var wrong []error
	for i, err := range errs {
		if permanent(err) && !(r.cfg.TolerateInvalid && invalid(err)) {
			wrong = append(wrong, fmt.Errorf("source %s: %w", r.srcs[i].src.Name(), err))
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	if err := r.merge(); err != nil && !r.cfg.TolerateInvalid {
		return nil, fmt.Errorf("merging the sources: %w", err)
	}
	return r, nil
}

// permanent reports whether err stays until somebody edits something.
func permanent(err error) bool {
	_, ok := errors.AsType[*SpecError](err)
	return ok || invalid(err)
}

func invalid(err error) bool {
	_, ok := errors.AsType[*policy.InvalidPolicyError](err)
	return ok
}

// Current returns the rules in force: what every source said when it was last
// good. It is nil until every source has loaded once. It costs one atomic load.
// Hand the method value to chain.New.
func (r *Resolver) Current() *policy.Rules { return r.current.Load() }

// Since returns when the rules in force came into force: when their version last
// changed. It is zero until there are rules.
func (r *Resolver) Since() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since
}

// Changes yields the rules in force, if there are any yet, and then each later
// version, until ctx ends or the loop is left. The latest wins: a slow consumer
// misses versions in between and never delays the resolver. Rules with the same
// [policy.Rules.Version] are yielded once.
func (r *Resolver) Changes(ctx context.Context) iter.Seq[*policy.Rules] {
	return func(yield func(*policy.Rules) bool) {
		var last *policy.Rules
		for {
			// The channel first: a swap after this line closes it.
			r.mu.Lock()
			swapped := r.swapped
			r.mu.Unlock()
			now := r.Current()
			if ctx.Err() != nil {
				return
			}
			if now != nil && (last == nil || now.Version() != last.Version()) {
				last = now
				if !yield(now) {
					return
				}
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-swapped:
			}
		}
	}
}

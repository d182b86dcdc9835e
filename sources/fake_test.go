package sources_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
)

var errAway = errors.New("the API server is away")

func invalid() error {
	return &policy.InvalidPolicyError{Origin: "fake#1", Err: errors.New("not a policy")}
}

// rules returns a policy of one digest rule.
func rules(source string, mirrors ...string) policy.Policy {
	r := policy.Rule{Source: source, Origin: "idms/" + source}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return policy.Policy{Rules: []policy.Rule{r}}
}

// fake says what it is told to say.
type fake struct {
	name string

	mu     sync.Mutex
	policy policy.Policy
	err    error
	loads  int
	hang   bool // Load waits for its context
}

func newFake(name string, p policy.Policy) *fake { return &fake{name: name, policy: p} }

func (f *fake) Name() string { return f.name }

func (f *fake) Load(ctx context.Context) (policy.Policy, error) {
	if err := ctx.Err(); err != nil {
		return policy.Policy{}, err
	}
	f.mu.Lock()
	f.loads++
	p, err, hang := f.policy, f.err, f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return policy.Policy{}, ctx.Err()
	}
	if err != nil {
		return policy.Policy{}, err
	}
	return copyOf(p), nil
}

func copyOf(p policy.Policy) policy.Policy {
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		r := &p.Rules[i]
		r.Mirrors = slices.Clone(r.Mirrors)
		r.Provenance.Origins = slices.Clone(r.Provenance.Origins)
		r.Provenance.Mirrors = slices.Clone(r.Provenance.Mirrors)
		for j, origins := range r.Provenance.Mirrors {
			r.Provenance.Mirrors[j] = slices.Clone(origins)
		}
	}
	p.Insecure, p.Blocked, p.Skipped = slices.Clone(p.Insecure), slices.Clone(p.Blocked), slices.Clone(p.Skipped)
	p.Warnings = slices.Clone(p.Warnings)
	for i := range p.Warnings {
		p.Warnings[i].Origins = slices.Clone(p.Warnings[i].Origins)
	}
	return p
}

func (f *fake) say(p policy.Policy) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.policy, f.err = p, nil
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loads
}

// watched is a fake that tells of changes.
type watched struct {
	*fake
	events  chan error // nil is a change, anything else ends the watch
	watches chan struct{}
	quiet   bool // does not signal at the start, against the contract
}

func newWatched(name string, p policy.Policy) *watched {
	return &watched{fake: newFake(name, p), events: make(chan error, 10), watches: make(chan struct{}, 1000)}
}

func (w *watched) signal() { w.events <- nil }

func (w *watched) Watch(ctx context.Context, changed func()) error {
	w.watches <- struct{}{}
	if !w.quiet {
		changed()
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.events:
			if err != nil {
				return err
			}
			changed()
		}
	}
}

// wait lets the fake time of a synctest bubble pass.
func wait(d time.Duration) { <-time.After(d) }

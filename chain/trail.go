package chain

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// trail connects callers with work that was detached from them: what the work
// should know of its first caller, and what callers that leave early want to know
// of the work. It is the one value in a detached context.
type trail struct {
	// pace is when the first caller will leave; zero if it never does. Whoever
	// divides time between endpoints divides the time until then.
	pace     time.Time
	deadline time.Time // the first caller's, itself

	mu       sync.Mutex
	asking   []imageref.Ref // the endpoints that are being asked now
	attempts []provider.Attempt
	hurried  bool
}

type trailKey struct{}

// newTrail starts the trail of work for a caller with ctx. The pace is a little
// before its deadline, so that there is time left to hear the outcome.
func newTrail(ctx context.Context) *trail {
	deadline, ok := ctx.Deadline()
	if !ok {
		return &trail{}
	}
	return &trail{deadline: deadline, pace: deadline.Add(-time.Until(deadline) / 20)}
}

func withTrail(ctx context.Context, t *trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// trailOf is the trail of the work that ctx belongs to. A nil trail works.
func trailOf(ctx context.Context) *trail {
	t, _ := ctx.Value(trailKey{}).(*trail)
	return t
}

func (t *trail) attempting(ref imageref.Ref) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking = append(t.asking, ref)
}

func (t *trail) attempted(a provider.Attempt) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking, t.attempts = without(t.asking, a.Ref), append(t.attempts, a)
}

// soFar are the attempts that have ended, and the endpoint that has been asked for
// longest and not answered; zero if there is none.
func (t *trail) soFar() ([]provider.Attempt, imageref.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.attempts), first(t.asking)
}

func first(refs []imageref.Ref) imageref.Ref {
	if len(refs) == 0 {
		return imageref.Ref{}
	}
	return refs[0]
}

// without removes ref, once, in place.
func without(refs []imageref.Ref, ref imageref.Ref) []imageref.Ref {
	if i := slices.Index(refs, ref); i >= 0 {
		return slices.Delete(refs, i, i+1)
	}
	return refs
}

// hurry notes that something was cut short for the first caller's sake: a failure
// then says nothing to callers with more time.
func (t *trail) hurry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hurried = true
}

func (t *trail) wasHurried() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hurried
}

// helps reports whether ctx leaves so much more time than the first caller had that
// what was hurried for that one may well succeed. Twice as much: so that callers
// with about the same deadline do not try one after another.
func (t *trail) helps(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return !ok || time.Until(d) > 2*max(time.Until(t.deadline), 0)
}

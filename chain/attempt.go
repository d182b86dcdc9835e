package chain

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// attempt is one endpoint being asked.
type attempt[T any] struct {
	candidate policy.Candidate
	place     int // in the order of its heat
	ctx       context.Context
	cancel    context.CancelFunc
	contact   *contact
	probe     bool // of a sick host
	aside     bool // one that is asked beside the others
	stop      context.CancelFunc
	mute      atomic.Bool   // it was ended for its silence, see quicken
	release   func() bool   // set where aside, see [withOwnEnd]
	patience  time.Duration // silent for longer, it is overdue
	limit     time.Duration
	paced     bool // limit is for the first caller's sake, see trail

	// Set when it is over.
	value    T
	err      error
	took     time.Duration
	panicked *PanicError
	answered bool
	ranOut   bool
	lost     bool          // given up, since another answered
	lostAt   time.Duration // after it began
}

// begin prepares the attempt at c; left counts it and those that have not begun.
func (s *search[T]) begin(ctx context.Context, c policy.Candidate, left int, aside bool) *attempt[T] {
	a := &attempt[T]{candidate: c, patience: s.patience(c), aside: aside, probe: aside}
	a.limit, a.paced = s.share(ctx, left)
	if aside {
		ctx, a.stop, a.release = withOwnEnd(ctx, a.limit)
	} else {
		ctx, a.stop = within(ctx, a.limit)
	}
	a.cancel = a.stop
	a.ctx, a.contact = withContact(ctx)
	s.quicken(a, left)
	s.asking = append(s.asking, c.Ref)
	trailOf(ctx).attempting(c.Ref)
	return a
}

// run asks the endpoint, and waits for the answer.
func (s *search[T]) run(a *attempt[T]) {
	defer a.cancel()
	req := s.req
	req.Image, req.Insecure = a.candidate.Ref, a.candidate.Insecure
	a.value, a.err = s.ask(a.ctx, req)
	a.took = a.age()
	a.answered = a.err == nil
	a.ranOut = !a.answered && a.ctx.Err() != nil
}

// runGuarded is run on a goroutine of its own, where a panic would end the program.
func (s *search[T]) runGuarded(a *attempt[T], done chan<- *attempt[T]) {
	returned := false
	defer func() {
		if !returned {
			a.panicked = caught(recover())
		}
		done <- a
	}()
	s.run(a)
	returned = true
}

// end draws the conclusions from an attempt that is over, and returns the error that
// ends the search, if it does. An attempt that ends with the caller's own context is
// none, and not recorded, nor is one that [ends] the search.
func (s *search[T]) end(ctx context.Context, a *attempt[T]) error {
	switch {
	case a.panicked != nil: // and others answered
		a.err = a.panicked
		s.tell(ctx, Event{Kind: Panicked, Ref: a.candidate.Ref, Err: a.err})
	case a.lost:
		a.err = a.givenUp()
	case a.err == nil:
	case ctx.Err() != nil:
		s.learn(ctx, a, health.Unsure)
		return s.failed(ctx.Err())
	case ends(a.err):
		s.learn(ctx, a, health.Unsure)
		return a.err
	case a.mute.Load():
		a.err = a.muted()
	case a.ranOut:
		if a.paced {
			trailOf(ctx).hurry()
		}
		a.err = ranOut(a.candidate.Ref, a.limit, a.err)
	}
	s.record(ctx, provider.Attempt{Ref: a.candidate.Ref, Err: a.err, Took: a.took})
	s.learn(ctx, a, s.judge(a))
	return nil
}

func (s *search[T]) record(ctx context.Context, at provider.Attempt) {
	s.asking = without(s.asking, at.Ref)
	s.attempts = append(s.attempts, at)
	trailOf(ctx).attempted(at)
	s.tell(ctx, Event{Kind: AttemptDone, Ref: at.Ref, Err: at.Err, Took: at.Took})
}

// tell tells the observer, if there is one, something about the search.
func (s *search[T]) tell(ctx context.Context, e Event) {
	if s.Observer != nil {
		e.Image, e.Rules = s.req.Image, rulesVersion(&s.req)
		s.Observer.Observe(ctx, e)
	}
}

// ranOut is err as the failure of an endpoint that used up its time. What the
// endpoint's reader said of the end of its context is no news and would read like
// the caller's own deadline.
func ranOut(ref imageref.Ref, limit time.Duration, err error) error {
	if !ofContext(err) {
		return err
	}
	return &provider.Error{
		Op: opOf(err), Ref: ref, Class: provider.ClassTimeout,
		Err: fmt.Errorf("not finished within %s", limit.Round(time.Millisecond)), Elsewhere: elsewhere(err),
	}
}

// givenUp is the error of an attempt that lost. One that failed by itself before it
// heard of that keeps its own.
func (a *attempt[T]) givenUp() error {
	if a.err != nil && !ofContext(a.err) {
		return a.err
	}
	return a.lostTo(opOf(a.err))
}

// lostTo is the error of an attempt that is given up while it does op.
func (a *attempt[T]) lostTo(op string) error {
	e := &provider.Error{Op: op, Ref: a.candidate.Ref}
	switch {
	case a.overdue(a.lostAt):
		e.Class = provider.ClassTimeout
		e.Err = fmt.Errorf("no answer begun within %s, when another candidate had answered", a.lostAt.Round(time.Millisecond))
	default:
		e.Class = provider.ClassCanceled
		e.Err = errors.New("given up: another candidate answered first")
	}
	return e
}

// ofContext reports whether err may say no more than that a context ended.
func ofContext(err error) bool {
	c := provider.ClassOf(err)
	return c == provider.ClassCanceled || c == provider.ClassUnknown ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func opOf(err error) string {
	if pe, ok := errors.AsType[*provider.Error](err); ok {
		return pe.Op
	}
	return ""
}

// lose gives the attempt up.
func (a *attempt[T]) lose() {
	a.lost, a.lostAt = true, a.age()
	a.cancel()
}

// age is how long ago the attempt began.
func (a *attempt[T]) age() time.Duration { return a.contact.age() }

// overdue reports whether the attempt was silent for age, and that is too long.
func (a *attempt[T]) overdue(age time.Duration) bool {
	return !a.contact.begun() && age >= a.patience
}

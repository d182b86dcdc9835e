package failover

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/internal/flight"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// ErrShare is chain.ErrShare.
var ErrShare = errors.New("its share of the time for the lookup")

// attempt is one endpoint that is being asked.
type attempt[T any] struct {
	candidate  policy.Candidate
	rank       int // in its hedge group
	probe      bool
	background bool          // a probe beside a healthy host
	limit      time.Duration // for the whole attempt
	softLimit  bool          // limit is part of the time until the soft deadline, see budget
	last       bool          // nobody is left to be asked instead
	hedgeDelay time.Duration
	request    provider.Request // for the endpoint

	ctx           context.Context
	cancel        context.CancelFunc // of ctx, and of what else belongs to the attempt
	detach        func() bool        // set for a background probe, see detachableContext
	conn          *connTrace
	timedOutEarly atomic.Bool // ended by limitUnhealthy

	// Set when Ask has returned.
	value    T
	err      error
	took     time.Duration
	panicked error
	answered bool
	expired  bool // the context of the attempt ended first

	givenUp   bool          // because another candidate answered
	givenUpAt time.Duration // after the attempt began
}

// start prepares the attempt at c. left counts c and the candidates that have not begun.
func (s *search[T]) start(ctx context.Context, c policy.Candidate, remaining int, background bool) *attempt[T] {
	a := &attempt[T]{candidate: c, hedgeDelay: s.hedgeDelay(c), background: background, probe: background}
	a.limit, a.softLimit = s.budget(ctx, remaining)
	a.last = !background && s.isLast(remaining)
	a.request = s.requestAt(c)
	a.request.Last = a.last
	if background {
		ctx, a.cancel, a.detach = detachableContext(ctx, a.limit)
	} else {
		ctx, a.cancel = withLimit(ctx, a.limit)
	}
	a.ctx, a.conn = withConnTrace(ctx)
	s.limitUnhealthy(a, remaining)
	s.asking = append(s.asking, c.Ref)
	flight.CallOf(ctx).Started(c.Ref)
	return a
}

// requestAt returns the request as it asks a candidate, and no other.
func (s *search[T]) requestAt(c policy.Candidate) provider.Request {
	req := s.Request
	req.Image, req.Insecure, req.ByPolicy = c.Ref, c.Insecure, (c.Mirror || len(c.Origins) > 0) && !c.ByTenant
	if c.Mirror && !c.ByTenant {
		req = req.AtMirror()
	}
	req.MirrorCredentials = provider.MirrorCredentials{}
	return req
}

// withLimit returns a context that ends after limit. Where the caller's context ends
// first there is no second timer: an attempt that runs out of its own time is a failure
// of the endpoint, the end of the caller's context is not.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= limit {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// detachableContext returns a context that ends with ctx, or after limit, unless detach
// is called before. After that only cancel ends it. detach returns false if the context
// has ended already.
func detachableContext(ctx context.Context, limit time.Duration) (own context.Context, cancel context.CancelFunc, detach func() bool) {
	own, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	timer := time.AfterFunc(limit, end)
	cancel = func() {
		stop()
		timer.Stop()
		end()
	}
	return own, cancel, func() bool { return stop() && timer.Stop() }
}

// limitUnhealthy ends a when its host is silent for the hedge delay, if the host is not
// healthy and other candidates follow. Such a mirror comes first only where no mirror
// beside it is healthy, and the source is never asked at the same time as a mirror:
// without this limit every lookup would wait for the whole time of the attempt. If all
// candidates fail, tryWithFullTimeout asks a again without the limit. A host that is due
// for a probe is not limited; the attempt is then the probe.
func (s *search[T]) limitUnhealthy(a *attempt[T], remaining int) {
	host := a.candidate.Ref.Registry()
	if !a.candidate.Mirror || remaining < 2 || s.fullTimeout || a.background || s.cfg.Health.Healthy(host) {
		return
	}
	if s.cfg.Health.State(host) == health.Unhealthy && s.cfg.Health.Probe(host) {
		a.probe = true
		return
	}
	end := a.cancel
	var timer *time.Timer
	set := make(chan struct{})
	timer = time.AfterFunc(a.hedgeDelay, func() {
		<-set
		switch silence := a.conn.silence(a.age()); {
		case a.conn.begun() || a.ctx.Err() != nil:
		case silence >= a.hedgeDelay:
			a.timedOutEarly.Store(true)
			end()
		default: // the connection was first wanted later than the attempt began
			timer.Reset(a.hedgeDelay - silence)
		}
	})
	close(set)
	a.cancel = func() {
		timer.Stop()
		end()
	}
}

// ask asks the endpoint and waits for the answer.
func (s *search[T]) ask(a *attempt[T]) {
	defer a.cancel()
	a.value, a.err = s.Ask(a.ctx, a.request)
	a.took = a.age()
	a.answered = a.err == nil
	a.expired = !a.answered && a.ctx.Err() != nil
}

// wasLimited reports whether a was ended by a limit that chooses between candidates: its
// host may only be slow.
func (a *attempt[T]) wasLimited() bool {
	return a.timedOutEarly.Load() || !a.last && !a.expired && provider.ClassOf(a.err) == provider.ClassTimeout
}

// askGuarded calls ask on a goroutine of its own, where a panic would end the program.
func (s *search[T]) askGuarded(a *attempt[T], done chan<- *attempt[T]) {
	returned := false
	defer func() {
		if !returned {
			a.panicked = s.cfg.Panicked(recover(), debug.Stack())
		}
		done <- a
	}()
	s.ask(a)
	returned = true
}

// end records an attempt that has ended, and reports the health of its host. It returns
// the error that ends the search, if there is one. Such an attempt is not recorded, unless
// its own error is final.
func (s *search[T]) end(ctx context.Context, a *attempt[T]) error {
	switch {
	case a.panicked != nil: // while another answered
		a.err = a.panicked
		s.observe(ctx, Event{Kind: Panicked, Ref: a.candidate.Ref, Err: a.err})
	case a.givenUp:
		a.err = a.givenUpError()
	case a.err == nil:
	case ctx.Err() != nil:
		s.reportHealth(ctx, a, health.Unknown)
		return s.newError(ctx.Err())
	case isTerminal(a.err):
		s.reportHealth(ctx, a, health.Unknown)
		return a.err
	case a.timedOutEarly.Load():
		a.err = a.timedOutEarlyError()
	case a.expired:
		if a.softLimit {
			flight.CallOf(ctx).CutShort()
		}
		a.err = a.expiredError(s.Limit)
	}
	s.anyLimited = s.anyLimited || a.err != nil && a.wasLimited()
	s.record(ctx, a, provider.Attempt{Ref: a.candidate.Ref, Err: a.err, Took: a.took})
	s.reportHealth(ctx, a, s.classify(a))
	if !a.givenUp && isFinal(a.err) {
		return s.newError(nil)
	}
	return nil
}

func (s *search[T]) record(ctx context.Context, a *attempt[T], at provider.Attempt) {
	if i := slices.Index(s.asking, at.Ref); i >= 0 {
		s.asking = slices.Delete(s.asking, i, i+1)
	}
	s.attempts = append(s.attempts, at)
	flight.CallOf(ctx).Ended(at)
	s.observe(ctx, Event{Kind: AttemptDone, Ref: at.Ref, Err: at.Err, Took: at.Took, Owner: a.request.CredentialOwner})
}

// detach lets a background probe go on without the lookup. A probe runs beside a
// healthy mirror, which often answers first. If the probe were given up each time, nobody
// would learn that its host has recovered. From now on only the probe sends to done.
func (s *search[T]) detach(a *attempt[T], done <-chan *attempt[T]) {
	a.givenUpAt = a.age()
	s.record(a.ctx, a, provider.Attempt{Ref: a.candidate.Ref, Err: a.lostError(""), Took: a.givenUpAt})
	go s.awaitProbe(a, done)
}

// awaitProbe waits until a detached probe shows whether its host is healthy, at most
// until it counts as unresponsive, and ends the probe.
func (s *search[T]) awaitProbe(a *attempt[T], done <-chan *attempt[T]) {
	limit := time.NewTimer(s.unresponsiveAfter(a.hedgeDelay) - a.age())
	defer limit.Stop()
	ended := false
	select {
	case <-done:
		ended = true
	case <-a.conn.firstByteRead:
	case <-limit.C:
	}
	a.giveUp()
	if !ended {
		<-done
	}
	ctx := context.WithoutCancel(a.ctx)
	if a.panicked != nil {
		s.observe(ctx, Event{Kind: Panicked, Ref: a.candidate.Ref, Err: a.panicked})
		s.reportHealth(ctx, a, health.Unknown)
		return
	}
	a.err = a.givenUpError()
	s.reportHealth(ctx, a, s.classify(a))
}

// giveUp cancels the attempt, because another candidate answered.
func (a *attempt[T]) giveUp() {
	a.givenUp, a.givenUpAt = true, a.age()
	a.cancel()
}

// age returns the time since the attempt began.
func (a *attempt[T]) age() time.Duration { return a.conn.age() }

// pastHedgeDelay reports whether an attempt of that age has been without an answer for
// the hedge delay. The delay counts from the first connection, like the silence that
// classify judges: otherwise a hedge that is answered at once would end an attempt whose
// silence is just too short to count as a failure.
func (a *attempt[T]) pastHedgeDelay(age time.Duration) bool {
	return !a.conn.begun() && a.conn.unanswered(age) >= a.hedgeDelay
}

// expiredError returns the error of an attempt that used up its time. It replaces an
// error that only says that a context ended, which would read like the end of the
// caller's context. most is what an attempt may take if the caller has the time.
func (a *attempt[T]) expiredError(most time.Duration) error {
	if !isContextError(a.err) {
		return a.err
	}
	err := fmt.Errorf("not finished within %s", a.limit.Round(time.Millisecond))
	if a.limit < most {
		err = fmt.Errorf("%w, %w", err, ErrShare)
	}
	return &provider.Error{
		Op: opOf(a.err), Ref: a.candidate.Ref, Class: provider.ClassTimeout, Err: err, Elsewhere: isElsewhere(a.err),
	}
}

// timedOutEarlyError returns the error of an attempt that limitUnhealthy ended.
func (a *attempt[T]) timedOutEarlyError() error {
	if !isContextError(a.err) {
		return a.err
	}
	return &provider.Error{
		Op: opOf(a.err), Ref: a.candidate.Ref, Class: provider.ClassTimeout,
		Err: fmt.Errorf("no answer begun within %s, from a host that has failed before", a.hedgeDelay.Round(time.Millisecond)),
	}
}

// givenUpError returns the error of an attempt that was given up. One that failed
// before that keeps its own error.
func (a *attempt[T]) givenUpError() error {
	if a.err != nil && !isContextError(a.err) {
		return a.err
	}
	return a.lostError(opOf(a.err))
}

// lostError returns the error of an attempt that is given up while it does op.
func (a *attempt[T]) lostError(op string) error {
	e := &provider.Error{Op: op, Ref: a.candidate.Ref}
	if a.pastHedgeDelay(a.givenUpAt) {
		e.Class = provider.ClassTimeout
		e.Err = fmt.Errorf("no answer begun within %s, when another candidate had answered", a.givenUpAt.Round(time.Millisecond))
	} else {
		e.Class = provider.ClassCanceled
		e.Err = errors.New("given up: another candidate answered first")
	}
	return e
}

// isContextError reports whether err may say no more than that a context ended.
func isContextError(err error) bool {
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

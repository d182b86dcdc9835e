// Package failover asks the candidates of one lookup until one of them answers. It
// contains all decisions about who is asked when: the order, the time for each
// candidate, hedges, probes of hosts that failed, and retries. It does not know what is
// asked, so it serves releases, images and the question whether an image exists.
//
// A search has three levels. [Run] tries all candidates, then retries those that may
// recover. Each time, tryEach goes through the candidates in order and collects
// mirrors that follow one another into a hedgeGroup, which may ask several of them at
// once. Each request to one endpoint is an attempt.
package failover

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/internal/flight"
	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Config holds what all searches have in common. All fields but Observe are required;
// the units and the meaning are those of the fields of MirrorsConfig in package chain.
type Config struct {
	Retries       int
	RetryDelay    time.Duration
	MaxRetryAfter time.Duration
	HedgeUnknown  time.Duration
	HedgeKnown    time.Duration
	Parallel      int
	Health        *health.Health
	// Panicked makes the error of a panic in an attempt. The value that is passed to
	// panic again, on the goroutine of the caller of Run, is this error.
	Panicked func(value any, stack []byte) error
	// Observe is called with what happens; it may be nil.
	Observe func(ctx context.Context, req *provider.Request, e Event)
}

// EventKind says what happened.
type EventKind uint8

// Values of [EventKind].
const (
	AttemptDone  EventKind = iota // Ref, Err, Took
	HedgeStarted                  // Ref, Wait: how long the attempt before has been silent
	RetryWaiting                  // Wait, Err: why
	HostChanged                   // Ref, State, Err
	Panicked                      // Ref, Err
)

// Event is something that happened in a search.
type Event struct {
	Kind       EventKind
	Ref        imageref.Ref
	Err        error
	Took, Wait time.Duration
	State      health.State
}

// Query is one question, for all candidates.
type Query[T any] struct {
	// Request is the request of the caller. Its Image is replaced by the candidate.
	Request provider.Request
	// Ask asks the endpoint that req.Image names.
	Ask func(ctx context.Context, req provider.Request) (T, error)
	// Limit bounds one attempt.
	Limit time.Duration
	// ByDigest says that all candidates hold the same content, so that the first answer
	// counts, whoever gives it. Without it candidates are asked one after another.
	ByDigest bool
}

// Answer is the first answer.
type Answer[T any] struct {
	Value    T
	From     policy.Candidate
	Attempts []provider.Attempt // in the order in which they began; the answer is the last
}

// Error says that no candidate answered.
type Error struct {
	Attempts []provider.Attempt
	// Context is the error of the caller's context, if that ended the search. Asking
	// is then the endpoint that was being asked; zero for none.
	Context error
	Asking  imageref.Ref
}

func (e *Error) Error() string {
	if e.Context != nil {
		return e.Context.Error()
	}
	return "no candidate answered"
}

// Run asks cands until one of them answers. The error is an [*Error], or an error that
// is the same for all candidates, as it is: [provider.ErrNoRules] or one of class
// [provider.ClassInvalid].
func Run[T any](ctx context.Context, cfg *Config, q Query[T], cands []policy.Candidate) (Answer[T], error) {
	s := &search[T]{cfg: cfg, Query: q}
	return s.run(ctx, cands)
}

// search is the state of one Run. Only the goroutine of Run uses it.
type search[T any] struct {
	Query[T]
	cfg      *Config
	attempts []provider.Attempt // that have ended
	asking   []imageref.Ref     // endpoints that are being asked now
	retried  map[imageref.Ref]int

	anyLimited  bool // a candidate was cut short, see wasLimited
	fullTimeout bool // no attempt is limited so that another candidate can be asked any more
}

// failure is a candidate that did not answer.
type failure struct {
	candidate policy.Candidate
	err       error
	notBefore time.Time // of a retry, set by retryable
	cutShort  bool      // see wasLimited; it may still answer
}

// run tries cands, then retries those that may recover.
func (s *search[T]) run(ctx context.Context, cands []policy.Candidate) (Answer[T], error) {
	a, failed, err := s.tryWithFullTimeout(ctx, cands)
	pending := s.retryable(failed)
	for retry := 0; a == nil && err == nil && len(pending) > 0; retry++ {
		at := s.nextRetry(pending, retry)
		if !inTime(ctx, at) {
			break
		}
		s.observe(ctx, Event{Kind: RetryWaiting, Wait: time.Until(at), Err: pending[0].err})
		if ended := sleep.For(ctx, time.Until(at)); ended != nil {
			return Answer[T]{}, s.newError(ended)
		}
		var due []policy.Candidate
		var later []failure
		for _, f := range pending {
			if f.notBefore.After(at) {
				later = append(later, f)
			} else {
				due = append(due, f.candidate)
				s.countRetry(f.candidate.Ref)
			}
		}
		a, failed, err = s.tryWithFullTimeout(ctx, due)
		pending = append(later, s.retryable(failed)...)
	}
	switch {
	case err != nil:
		return Answer[T]{}, err
	case a == nil:
		return Answer[T]{}, s.newError(nil)
	}
	return Answer[T]{a.value, a.candidate, s.attempts}, nil
}

// tryWithFullTimeout tries each of cands. If none answers, it tries those again that
// were cut short, without cutting them short.
func (s *search[T]) tryWithFullTimeout(ctx context.Context, cands []policy.Candidate) (*attempt[T], []failure, error) {
	a, failed, err := s.tryEach(ctx, cands)
	if a != nil || err != nil {
		return a, failed, err
	}
	var rest []failure
	var again []policy.Candidate
	for _, f := range failed {
		if f.cutShort {
			again = append(again, f.candidate)
		} else {
			rest = append(rest, f)
		}
	}
	if len(again) == 0 {
		return nil, failed, nil
	}
	s.fullTimeout = true
	a, failed, err = s.tryEach(ctx, again)
	return a, append(rest, failed...), err
}

// tryEach asks each of cands at most once. It returns the attempt that answered, or
// the failures, or the error that ends the search.
func (s *search[T]) tryEach(ctx context.Context, cands []policy.Candidate) (*attempt[T], []failure, error) {
	var failed []failure
	for len(cands) > 0 {
		n := groupSize(cands)
		g := hedgeGroup[T]{search: s, ctx: ctx, left: len(cands)}
		a, err := g.run(cands[:n])
		if a != nil || err != nil {
			return a, nil, err
		}
		failed = append(failed, g.failures()...)
		cands = cands[n:]
	}
	return nil, failed, nil
}

// groupSize returns how many of cands form the first hedge group: the mirrors up to
// the source, or the source alone if it is first.
func groupSize(cands []policy.Candidate) int {
	n := slices.IndexFunc(cands, func(c policy.Candidate) bool { return !c.Mirror })
	if n < 0 {
		return len(cands)
	}
	return max(n, 1)
}

// isTerminal reports whether err would be the same at every candidate: there are no
// rules, or the request is invalid.
func isTerminal(err error) bool {
	return errors.Is(err, provider.ErrNoRules) || provider.ClassOf(err) == provider.ClassInvalid
}

// budget returns how long the first of left candidates may take. Each of them gets an
// equal part of the time until the caller's deadline, so that a slow one does not use
// up the time of those after it, but no more than Limit, which does not apply where
// nobody else is left: a cache that fetches what it is asked for takes as long as it
// takes. soft is true if the part is
// one of the time until the soft deadline of a shared call. The last candidate of
// shared work is not bound by that: an answer that comes too late for the first caller
// still serves others.
func (s *search[T]) budget(ctx context.Context, left int) (limit time.Duration, soft bool) {
	limit = s.Limit
	if d, ok := ctx.Deadline(); ok {
		limit = time.Until(d) / time.Duration(left)
		if !s.isLast(left) {
			limit = min(limit, s.Limit)
		}
	}
	if d, ok := flight.CallOf(ctx).SoftDeadline(); ok && left > 1 {
		if part := time.Until(d) / time.Duration(left); part > 0 && part < limit {
			return part, true
		}
	}
	return limit, false
}

// isLast reports whether the candidate that is asked now has nobody beside or after it:
// no other one has not begun, is being asked, or was cut short and will be asked again.
// Those that are asked again share the time.
func (s *search[T]) isLast(left int) bool {
	return s.fullTimeout || left == 1 && len(s.asking) == 0 && !s.anyLimited
}

// newError returns the error of the search. ended is the error of the caller's context,
// if that ended the search.
func (s *search[T]) newError(ended error) error {
	e := &Error{Attempts: s.attempts, Context: ended}
	if ended != nil && len(s.asking) > 0 {
		e.Asking = s.asking[0]
	}
	return e
}

func (s *search[T]) observe(ctx context.Context, e Event) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(ctx, &s.Request, e)
	}
}

// retryable returns the failures of candidates that may answer a second time: those
// that were overloaded or had an internal error. An endpoint that was unreachable or
// too slow has had its time, and a denial is final. An endpoint that asks for a longer
// wait than MaxRetryAfter is not asked again, nor one that was asked Retries times.
func (s *search[T]) retryable(failed []failure) []failure {
	var again []failure
	for _, f := range failed {
		pe, ok := errors.AsType[*provider.Error](f.err)
		if !ok || pe.Class != provider.ClassThrottled && pe.Class != provider.ClassServer ||
			pe.RetryAfter > s.cfg.MaxRetryAfter || s.retried[f.candidate.Ref] >= s.cfg.Retries {
			continue
		}
		f.notBefore = time.Now().Add(pe.RetryAfter)
		again = append(again, f)
	}
	return again
}

// nextRetry returns when the first of pending may be asked again: after the backoff for
// this retry, and not before the endpoint wants.
func (s *search[T]) nextRetry(pending []failure, retry int) time.Time {
	backoff := s.cfg.RetryDelay << min(retry, 16)
	at := time.Now().Add(backoff/2 + rand.N(backoff/2+1))
	first := pending[0].notBefore
	for _, f := range pending[1:] {
		if f.notBefore.Before(first) {
			first = f.notBefore
		}
	}
	if first.After(at) {
		return first
	}
	return at
}

// inTime reports whether a retry at that time is in time for the callers.
func inTime(ctx context.Context, at time.Time) bool {
	if d, ok := ctx.Deadline(); ok && !at.Before(d) {
		return false
	}
	call := flight.CallOf(ctx)
	if d, ok := call.SoftDeadline(); ok && time.Now().Before(d) && !at.Before(d) {
		call.CutShort()
		return false
	}
	return true
}

func (s *search[T]) countRetry(ref imageref.Ref) {
	if s.retried == nil {
		s.retried = make(map[imageref.Ref]int)
	}
	s.retried[ref]++
}

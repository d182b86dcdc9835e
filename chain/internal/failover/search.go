package failover

import (
	"context"
	"errors"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/internal/flight"
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
	Owner      provider.CredentialOwner // of the credential at Ref; AttemptDone only
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

// isTerminal reports whether err would be the same at every candidate: there are no
// rules, or the request is invalid.
func isTerminal(err error) bool {
	return errors.Is(err, provider.ErrNoRules) || provider.ClassOf(err) == provider.ClassInvalid
}

// isFinal reports whether err is the answer of an endpoint after which no other may be
// asked.
func isFinal(err error) bool {
	e, ok := errors.AsType[*provider.Error](err)
	return ok && e.Final
}

// budget returns how long the first of the remaining candidates may take. Each of them
// gets an equal part of the time until the caller's deadline, so that a slow one does not
// use up the time of those after it, but no more than Limit. Limit does not apply if
// nobody else is left: a cache that fetches what it is asked for takes as long as it
// takes. Shared work then has the time of its first caller, and at least Limit, since an
// answer that comes too late for that caller still serves others. It has no more: those
// who ask later join it, and would wait for an endpoint that hangs until the work's own
// end. soft is true if the part is one of the time until the soft deadline of a shared
// call.
func (s *search[T]) budget(ctx context.Context, remaining int) (limit time.Duration, soft bool) {
	limit = s.Limit
	call := flight.CallOf(ctx)
	callers, hasSoft := call.SoftDeadline()
	if d, ok := ctx.Deadline(); ok {
		limit = time.Until(d) / time.Duration(remaining)
		switch {
		case !s.isLast(remaining):
			limit = min(limit, s.Limit)
		case call != nil && hasSoft:
			limit = min(limit, max(s.Limit, time.Until(callers)))
		case call != nil:
			limit = min(limit, s.Limit)
		}
	}
	if hasSoft && remaining > 1 {
		if part := time.Until(callers) / time.Duration(remaining); part > 0 && part < limit {
			return part, true
		}
	}
	return limit, false
}

// isLast reports whether the candidate that is asked now has nobody beside or after it:
// no other one has not begun, is being asked, or was cut short and will be asked again.
// Those that are asked again share the time.
func (s *search[T]) isLast(remaining int) bool {
	return s.fullTimeout || remaining == 1 && len(s.asking) == 0 && !s.anyLimited
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

package chain

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// engine tries candidates until one answers. It knows nothing of what is asked of
// them, and so serves releases and images alike.
type engine struct {
	MirrorsConfig // with its defaults filled in
}

// ask is one question to one endpoint, which req names.
type ask[T any] func(ctx context.Context, req provider.Request) (T, error)

// answer is what the first endpoint that answered said.
type answer[T any] struct {
	value    T
	from     policy.Candidate
	attempts []provider.Attempt // all of them, the one that answered last
}

// search is one run over the candidates of one request.
type search[T any] struct {
	*engine
	req      provider.Request // as the caller asked
	ask      ask[T]
	limit    time.Duration // of one attempt
	attempts []provider.Attempt
	asking   []imageref.Ref // the endpoints that are being asked now
	byDigest bool           // so that any good answer is the answer
	retried  map[imageref.Ref]int

	unhurried bool // nobody is ended for being silent any more, see quicken
}

// over asks cands, then those again that may recover.
func (s *search[T]) over(ctx context.Context, cands []policy.Candidate) (answer[T], error) {
	a, failed, err := s.round(ctx, cands)
	pending := s.recovering(failed)
	for retry := 0; a == nil && err == nil && len(pending) > 0; retry++ {
		at := s.nextRetry(pending, retry)
		if !fits(ctx, at) {
			break
		}
		s.tell(ctx, Event{Kind: RetryWaiting, Wait: time.Until(at), Err: pending[0].err})
		if ended := sleep(ctx, time.Until(at)); ended != nil {
			return answer[T]{}, s.failed(ended)
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
		a, failed, err = s.round(ctx, due)
		pending = append(later, s.recovering(failed)...)
	}
	switch {
	case err != nil:
		return answer[T]{}, err
	case a == nil:
		return answer[T]{}, s.failed(nil)
	}
	return *a, nil
}

// failure is a candidate and why it did not answer.
type failure struct {
	candidate policy.Candidate
	err       error
	notBefore time.Time // set by recovering
	hurried   bool      // it was ended for its silence, and may yet answer
}

// round is pass, and once more for those that were not given all their time, if
// nobody answers.
func (s *search[T]) round(ctx context.Context, cands []policy.Candidate) (*answer[T], []failure, error) {
	a, failed, err := s.pass(ctx, cands)
	if a != nil || err != nil {
		return a, failed, err
	}
	var rest []failure
	var again []policy.Candidate
	for _, f := range failed {
		if f.hurried {
			again = append(again, f.candidate)
		} else {
			rest = append(rest, f)
		}
	}
	if len(again) == 0 {
		return nil, failed, nil
	}
	s.unhurried = true
	a, failed, err = s.pass(ctx, again)
	return a, append(rest, failed...), err
}

// pass asks each of cands once. It returns the first answer, or why each of them
// failed, or the error that ends the search. Mirrors that follow one another may
// overtake each other, see [heat]; the source keeps its place among them.
func (s *search[T]) pass(ctx context.Context, cands []policy.Candidate) (*answer[T], []failure, error) {
	var failed []failure
	for left := cands; len(left) > 0; {
		n := mirrorsAhead(left)
		h := heat[T]{search: s, ctx: ctx, left: len(left)}
		won, err := h.run(left[:n])
		if err != nil {
			return nil, nil, err
		}
		if won != nil {
			return &answer[T]{won.value, won.candidate, s.attempts}, nil, nil
		}
		failed = append(failed, h.failures()...)
		left = left[n:]
	}
	return nil, failed, nil
}

// mirrorsAhead is how many of cands are mirrors until something else comes; 1 where
// that is first.
func mirrorsAhead(cands []policy.Candidate) int {
	n := slices.IndexFunc(cands, func(c policy.Candidate) bool { return !c.Mirror })
	if n < 0 {
		return len(cands)
	}
	return max(n, 1)
}

// ends reports whether err is of no endpoint, so that asking others is in vain: a
// state of ours, or a mistake in the request.
func ends(err error) bool {
	return errors.Is(err, provider.ErrNoRules) || provider.ClassOf(err) == provider.ClassInvalid
}

// share is how long the first of left candidates may take: the limit of an
// attempt, and no more than its part of the time there is, so that a slow one
// never uses up the time of those behind it. What it leaves over is theirs. The
// last one of work that is detached from its callers is not paced by them: if it
// answers too late for one, it is in time for the next.
func (s *search[T]) share(ctx context.Context, left int) (limit time.Duration, paced bool) {
	limit = s.limit
	if d, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(d)/time.Duration(left))
	}
	if t := trailOf(ctx); t != nil && left > 1 && !t.pace.IsZero() {
		if part := time.Until(t.pace) / time.Duration(left); part > 0 && part < limit {
			return part, true
		}
	}
	return limit, false
}

// failed is the error of the search; ended is the caller's context error, if that
// ended it.
func (s *search[T]) failed(ended error) error {
	attempts := s.attempts
	if ended != nil {
		return newError(&s.req, attempts, endedError(ended, first(s.asking)))
	}
	return newError(&s.req, append(attempts, refusals(&s.req)...), nil)
}

// within is context.WithTimeout, but no timer of its own where the caller's ends
// first: which of the two ended an attempt decides whose failure it is.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= limit {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

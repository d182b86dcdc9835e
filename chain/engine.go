package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	from     provider.Candidate
	attempts []provider.Attempt // all of them, the one that answered last
}

// search is one run over the candidates of one request.
type search[T any] struct {
	*engine
	req      provider.Request // as the caller asked
	ask      ask[T]
	limit    time.Duration // of one attempt
	attempts []provider.Attempt
	asking   imageref.Ref // while an endpoint is being asked
	retried  map[imageref.Ref]int
}

// over asks cands in order, then those again that may recover.
func (s *search[T]) over(ctx context.Context, cands []provider.Candidate) (answer[T], error) {
	a, failed, err := s.round(ctx, cands)
	pending := s.recovering(failed)
	for retry := 0; a == nil && err == nil && len(pending) > 0; retry++ {
		at := s.nextRetry(pending, retry)
		if !fits(ctx, at) {
			break
		}
		s.reportRetry(ctx, time.Until(at), pending[0].err)
		if ended := sleep(ctx, time.Until(at)); ended != nil {
			return answer[T]{}, s.failed(ended)
		}
		var due []provider.Candidate
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
	candidate provider.Candidate
	err       error
	notBefore time.Time // set by recovering
}

// round asks each of cands once, one after another. It returns the first answer,
// or why each of them failed, or the error that ends the search.
func (s *search[T]) round(ctx context.Context, cands []provider.Candidate) (*answer[T], []failure, error) {
	var failed []failure
	for i, c := range cands {
		if err := ctx.Err(); err != nil {
			return nil, nil, s.failed(err)
		}
		v, err := s.attempt(ctx, c, len(cands)-i)
		switch {
		case err == nil:
			return &answer[T]{v, c, s.attempts}, nil, nil
		case ends(err):
			return nil, nil, err
		case ctx.Err() != nil:
			return nil, nil, s.failed(ctx.Err())
		}
		failed = append(failed, failure{candidate: c, err: err})
	}
	return nil, failed, nil
}

// ends reports whether err is of no endpoint, so that asking others is in vain: a
// state of ours, or a mistake in the request.
func ends(err error) bool {
	return errors.Is(err, provider.ErrNoRules) || provider.ClassOf(err) == provider.ClassInvalid
}

// attempt asks one endpoint; left counts it and those behind it. An attempt that
// ends with the caller's own context is none, and not recorded, nor is one that
// [ends] the search.
func (s *search[T]) attempt(ctx context.Context, c provider.Candidate, left int) (T, error) {
	limit, paced := s.share(ctx, left)
	actx, cancel := within(ctx, limit)
	defer cancel()

	req := s.req
	req.Image, req.Insecure = c.Ref, c.Insecure
	s.asking = c.Ref
	trailOf(ctx).attempting(c.Ref)
	start := time.Now()
	v, err := s.ask(actx, req)
	took := time.Since(start)
	if err != nil {
		if ctx.Err() != nil || ends(err) {
			return v, err
		}
		if actx.Err() != nil {
			if paced {
				trailOf(ctx).hurry()
			}
			err = ranOut(c.Ref, limit, err)
		}
	}
	a := provider.Attempt{Ref: c.Ref, Err: err, Took: took}
	s.asking, s.attempts = imageref.Ref{}, append(s.attempts, a)
	trailOf(ctx).attempted(a)
	if s.Observer != nil {
		s.Observer.Observe(ctx, Event{
			Kind: AttemptDone, Image: s.req.Image, Ref: c.Ref, Rules: rulesVersion(&s.req), Err: err, Took: took,
		})
	}
	return v, err
}

// ranOut is err as the failure of an endpoint that used up its time. What the
// endpoint's reader said of the end of its context is no news and would read like
// the caller's own deadline.
func ranOut(ref imageref.Ref, limit time.Duration, err error) error {
	if c := provider.ClassOf(err); c != provider.ClassCanceled && c != provider.ClassUnknown &&
		!errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	op := ""
	if pe, ok := errors.AsType[*provider.Error](err); ok {
		op = pe.Op
	}
	return &provider.Error{
		Op: op, Ref: ref, Class: provider.ClassTimeout,
		Err: fmt.Errorf("not finished within %s", limit.Round(time.Millisecond)),
	}
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

func (s *search[T]) failed(ended error) error {
	attempts := s.attempts
	if ended != nil {
		return newError(&s.req, attempts, endedError(ended, s.asking))
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

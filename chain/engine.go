package chain

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
}

// over asks cands in order, then, while some of them may recover, again.
func (s *search[T]) over(ctx context.Context, cands []provider.Candidate) (answer[T], error) {
	for retry := 0; ; retry++ {
		a, failed, err := s.round(ctx, cands)
		if err != nil {
			return answer[T]{}, err
		}
		if a != nil {
			return *a, nil
		}
		wait, again := s.recovering(failed, retry)
		if len(again) == 0 || retry >= s.Retries || !s.fits(ctx, wait) {
			return answer[T]{}, s.failed(nil)
		}
		if s.Observer != nil {
			s.Observer.Observe(ctx, Event{
				Kind: RetryWaiting, Image: s.req.Image, Rules: rulesVersion(&s.req), Wait: wait,
				Err: failed[len(failed)-1].err,
			})
		}
		if err := sleep(ctx, wait); err != nil {
			return answer[T]{}, s.failed(err)
		}
		cands = again
	}
}

// failure is a candidate and why it did not answer.
type failure struct {
	candidate provider.Candidate
	err       error
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
		case errors.Is(err, provider.ErrNoRules):
			return nil, nil, err // a state of ours, not of any endpoint
		case ctx.Err() != nil:
			return nil, nil, s.failed(ctx.Err())
		}
		failed = append(failed, failure{c, err})
	}
	return nil, failed, nil
}

// attempt asks one endpoint; left counts it and those behind it. An attempt that
// ends with the caller's own context is none, and not recorded.
func (s *search[T]) attempt(ctx context.Context, c provider.Candidate, left int) (T, error) {
	limit, paced := s.share(ctx, left)
	actx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	req := s.req
	req.Image, req.Insecure = c.Ref, c.Insecure
	start := time.Now()
	v, err := s.ask(actx, req)
	took := time.Since(start)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, provider.ErrNoRules) {
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
	s.attempts = append(s.attempts, a)
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

// recovering are the candidates that may answer when asked again, and how long to
// wait before that: those that were overloaded or had an error of their own. What
// was unreachable or too slow has had its time; what was denied stays so.
func (e *engine) recovering(failed []failure, retry int) (time.Duration, []provider.Candidate) {
	var again []provider.Candidate
	var wait time.Duration
	for _, f := range failed {
		pe, ok := errors.AsType[*provider.Error](f.err)
		if !ok || pe.Class != provider.ClassThrottled && pe.Class != provider.ClassServer ||
			pe.RetryAfter > e.MaxRetryAfter {
			continue
		}
		if len(again) == 0 || pe.RetryAfter < wait {
			wait = pe.RetryAfter
		}
		again = append(again, f.candidate)
	}
	backoff := e.RetryDelay << min(retry, 16)
	return max(wait, backoff/2+rand.N(backoff/2+1)), again
}

// fits reports whether there is any time left after waiting.
func (e *engine) fits(ctx context.Context, wait time.Duration) bool {
	then := time.Now().Add(wait)
	if d, ok := ctx.Deadline(); ok && !then.Before(d) {
		return false
	}
	if t := trailOf(ctx); t != nil && !t.pace.IsZero() && time.Now().Before(t.pace) && !then.Before(t.pace) {
		t.hurry()
		return false
	}
	return true
}

func (s *search[T]) failed(ended error) error {
	attempts := s.attempts
	if ended == nil {
		attempts = append(attempts, refusals(&s.req)...)
	}
	return newError(&s.req, attempts, ended)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

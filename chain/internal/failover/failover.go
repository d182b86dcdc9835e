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

	"github.com/mirrorchain/mirrorchain/chain/internal/flight"
	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Run asks cands until one of them answers. The error is an [*Error], or an error that
// is the same for all candidates, as it is: [provider.ErrNoRules] or one of class
// [provider.ClassInvalid].
func Run[T any](ctx context.Context, cfg *Config, q Query[T], cands []policy.Candidate) (Answer[T], error) {
	s := &search[T]{cfg: cfg, Query: q}
	return s.run(ctx, cands)
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
	var toRetry []policy.Candidate
	for _, f := range failed {
		if f.cutShort {
			toRetry = append(toRetry, f.candidate)
		} else {
			rest = append(rest, f)
		}
	}
	if len(toRetry) == 0 {
		return nil, failed, nil
	}
	s.fullTimeout = true
	a, failed, err = s.tryEach(ctx, toRetry)
	return a, append(rest, failed...), err
}

// tryEach asks each of cands at most once. It returns the attempt that answered, or
// the failures, or the error that ends the search.
func (s *search[T]) tryEach(ctx context.Context, cands []policy.Candidate) (*attempt[T], []failure, error) {
	var failed []failure
	for len(cands) > 0 {
		n := groupSize(cands)
		g := hedgeGroup[T]{search: s, ctx: ctx, remaining: len(cands)}
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

// retryable returns the failures of candidates that may answer a second time: those
// that were overloaded or had an internal error. An endpoint that was unreachable or
// too slow has had its time, and a denial is final. An endpoint that asks for a longer
// wait than MaxRetryAfter is not asked again, nor one that was asked Retries times.
func (s *search[T]) retryable(failed []failure) []failure {
	var toRetry []failure
	for _, f := range failed {
		pe, ok := errors.AsType[*provider.Error](f.err)
		if !ok || pe.Class != provider.ClassThrottled && pe.Class != provider.ClassServer ||
			pe.RetryAfter > s.cfg.MaxRetryAfter || s.retried[f.candidate.Ref] >= s.cfg.Retries {
			continue
		}
		f.notBefore = time.Now().Add(pe.RetryAfter)
		toRetry = append(toRetry, f)
	}
	return toRetry
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

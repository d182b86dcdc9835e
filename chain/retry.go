package chain

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// recovering are the failures of candidates that may answer when asked again:
// those that were overloaded or had an error of their own. What was unreachable or
// too slow has had its time; what was denied stays so. An endpoint that asks for
// more patience than we have is not asked sooner than it wants, and none is asked
// more often than Retries says.
func (s *search[T]) recovering(failed []failure) []failure {
	var again []failure
	for _, f := range failed {
		pe, ok := errors.AsType[*provider.Error](f.err)
		if !ok || pe.Class != provider.ClassThrottled && pe.Class != provider.ClassServer ||
			pe.RetryAfter > s.MaxRetryAfter || s.retried[f.candidate.Ref] >= s.Retries {
			continue
		}
		f.notBefore = time.Now().Add(pe.RetryAfter)
		again = append(again, f)
	}
	return again
}

// nextRetry is when the first of pending may be asked again, and not before the
// time that the number of the retry asks for.
func (e *engine) nextRetry(pending []failure, retry int) time.Time {
	backoff := e.RetryDelay << min(retry, 16)
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

// fits reports whether a retry at that time is in time for whoever waits.
func fits(ctx context.Context, at time.Time) bool {
	if d, ok := ctx.Deadline(); ok && !at.Before(d) {
		return false
	}
	if t := trailOf(ctx); t != nil && !t.pace.IsZero() && time.Now().Before(t.pace) && !at.Before(t.pace) {
		t.hurry()
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

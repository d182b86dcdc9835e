package check

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// gate paces the requests to one registry. One that answers 429 is left alone as long
// as it asks, and loses a place; places come back with good answers. One that answers
// 429 again after each of several such periods is given up.
type gate struct {
	places chan struct{} // filled with those that are free

	mu      sync.Mutex
	size    int       // places at most
	left    int       // places that there are
	good    int       // answers since a place was lost or came back
	quiet   time.Time // until when nobody is let in
	period  int       // how many times it has asked for quiet
	streak  int       // how many of these without a good answer between
	givenUp bool
}

func newGate(size int) *gate {
	t := &gate{places: make(chan struct{}, size), size: size, left: size}
	for range size {
		t.places <- struct{}{}
	}
	return t
}

const (
	pause    = time.Second      // after a 429 that names no time; doubles with each period
	longest  = 30 * time.Second // wait that is granted to a registry
	patience = 8                // periods without a good answer
)

// enter waits for a place, and for the registry's quiet time to be over. Give period
// to leave.
func (t *gate) enter(ctx context.Context) (period int, err error) {
	select {
	case <-t.places:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for {
		t.mu.Lock()
		wait, period, givenUp := time.Until(t.quiet), t.period, t.givenUp
		t.mu.Unlock()
		switch {
		case givenUp:
			t.places <- struct{}{}
			return 0, errBusy
		case wait <= 0:
			return period, nil
		}
		if ended := sleep(ctx, wait); ended != nil {
			t.places <- struct{}{}
			return 0, ended
		}
	}
}

// leave gives the place back, unless the registry has too many, and reports whether
// the request may be made again.
func (t *gate) leave(period int, err error) (again bool) {
	places := 1
	t.mu.Lock()
	wait, throttled := t.asks(err)
	switch {
	case throttled && wait > longest:
		t.givenUp = true // it will not serve anybody in time
	case throttled:
		again = true
		if until := time.Now().Add(wait); until.After(t.quiet) {
			t.quiet = until
		}
		if period == t.period { // else it is of a burst that has been answered for
			t.period++
			t.streak++
			t.givenUp = t.streak >= patience
			t.good = 0
			if t.left > 1 {
				t.left--
				places = 0
			}
		}
	case provider.ClassOf(err) == provider.ClassServer:
		again = true
	case answered(err):
		t.streak = 0
		if t.good++; t.good >= 2*t.left && t.left < t.size {
			t.good = 0
			t.left++
			places = 2
		}
	}
	t.mu.Unlock()
	for range places {
		t.places <- struct{}{}
	}
	return again
}

// asks is how long a registry wants to be left alone. The caller holds t.mu.
func (t *gate) asks(err error) (wait time.Duration, throttled bool) {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassThrottled && (e.Class != provider.ClassServer || e.RetryAfter == 0) {
		return 0, false
	}
	if e.RetryAfter > 0 {
		return e.RetryAfter, true
	}
	return min(pause<<t.streak, longest), true
}

// answered reports whether a registry said what it has.
func answered(err error) bool { return err == nil || errors.Is(err, provider.ErrNotFound) }

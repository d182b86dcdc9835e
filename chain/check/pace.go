package check

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/provider"
)

// gate limits the requests to one registry. When the registry answers 429, nobody is let
// in for as long as it asks (a pause), and it has one slot less. Good answers give slots
// back. A registry that answers 429 again after several pauses is not asked any more.
//
// A registry is failing when several requests in a row were in vain: it had an internal error
// at each try, or could not be reached, or was silent. It still gets each request, as it does
// from a node, but only once, and has less time for it. The first good answer ends that.
type gate struct {
	slots chan struct{} // filled with the free ones

	mu          sync.Mutex
	size        int       // slots at most
	open        int       // slots that there are
	good        int       // answers since the number of slots changed
	pausedUntil time.Time // nobody is let in before
	pauses      int       // how many there were
	inVain      int       // how many of them were not followed by a good answer
	givenUp     bool
	failed      int // requests in vain since the last good answer
}

func newGate(size int) *gate {
	t := &gate{slots: make(chan struct{}, size), size: size, open: size}
	for range size {
		t.slots <- struct{}{}
	}
	return t
}

const (
	firstPause = time.Second      // after a 429 that names no time; doubles with each pause
	maxPause   = 30 * time.Second // a registry that asks for more is given up
	maxInVain  = 8                // pauses without a good answer
	maxFailed  = 3                // requests in vain, after which a registry is failing
)

// failing reports whether the registry is failing.
func (t *gate) failing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed >= maxFailed
}

// enter waits for a slot, and for the end of a pause. It returns the number of the last
// pause, which leave needs.
func (t *gate) enter(ctx context.Context) (pause int, err error) {
	select {
	case <-t.slots:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for {
		t.mu.Lock()
		wait, pause, givenUp := time.Until(t.pausedUntil), t.pauses, t.givenUp
		t.mu.Unlock()
		switch {
		case givenUp:
			t.slots <- struct{}{}
			return 0, errBusy
		case wait <= 0:
			return pause, nil
		}
		if ended := sleep.For(ctx, wait); ended != nil {
			t.slots <- struct{}{}
			return 0, ended
		}
	}
}

// leave gives the slot back, unless the registry has too many, and reports whether the
// request is to be repeated, which it never is after the last try.
func (t *gate) leave(pause int, err error, last bool) (retry bool) {
	slots := 1
	t.mu.Lock()
	wait, throttled := t.pauseFor(err)
	switch {
	case throttled && wait > maxPause:
		t.givenUp = true
	case throttled:
		retry = !last
		if until := time.Now().Add(wait); until.After(t.pausedUntil) {
			t.pausedUntil = until
		}
		if pause == t.pauses { // otherwise a request of the same time has begun the pause
			t.pauses++
			t.inVain++
			t.givenUp = t.inVain >= maxInVain
			t.good = 0
			if t.open > 1 {
				t.open--
				slots = 0
			}
		}
	case provider.ClassOf(err) == provider.ClassServer && !last && t.failed < maxFailed:
		retry = true
	case inVain(err):
		t.failed++
	case answered(err):
		t.inVain, t.failed = 0, 0
		if t.good++; t.good >= 2*t.open && t.open < t.size {
			t.good = 0
			t.open++
			slots = 2
		}
	}
	t.mu.Unlock()
	for range slots {
		t.slots <- struct{}{}
	}
	return retry
}

// pauseFor returns how long a registry asks to be left alone. The caller holds t.mu.
func (t *gate) pauseFor(err error) (wait time.Duration, throttled bool) {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassThrottled && (e.Class != provider.ClassServer || e.RetryAfter == 0) {
		return 0, false
	}
	if e.RetryAfter > 0 {
		return e.RetryAfter, true
	}
	return min(firstPause<<t.inVain, maxPause), true
}

// answered reports whether the registry said whether it has the image.
func answered(err error) bool { return err == nil || errors.Is(err, provider.ErrNotFound) }

// inVain reports whether the registry could not answer, for a reason that has nothing to do
// with the image.
func inVain(err error) bool {
	switch provider.ClassOf(err) {
	case provider.ClassServer, provider.ClassTimeout, provider.ClassUnreachable:
		return true
	}
	return false
}

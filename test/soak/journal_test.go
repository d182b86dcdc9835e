package soak_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal keeps what happened last, for whoever has to understand a failure.
type journal struct {
	tb    testing.TB
	seed  uint64
	start time.Time
	stop  func() // ends the soak

	mu     sync.Mutex
	events []string // a ring
	n      int
	failed int
}

const (
	journalled = 200 // events that are kept
	enough     = 5   // failures after which the soak ends
)

func newJournal(tb testing.TB, seed uint64, stop func()) *journal {
	return &journal{tb: tb, seed: seed, start: time.Now(), stop: stop, events: make([]string, journalled)}
}

func (j *journal) note(format string, args ...any) {
	line := fmt.Sprintf("%9.3f ", time.Since(j.start).Seconds()) + fmt.Sprintf(format, args...)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events[j.n%journalled] = line
	j.n++
}

// fail reports something that must not be. The first failure comes with what led to
// it; after some the soak ends.
func (j *journal) fail(format string, args ...any) {
	j.note("FAILED: "+format, args...)
	j.mu.Lock()
	j.failed++
	n, last := j.failed, ""
	if n == 1 {
		last = "\nthe last events, in seconds:\n" + j.tail()
	}
	j.mu.Unlock()
	if n > enough {
		return
	}
	j.tb.Errorf("%s\nafter %s; the same faults again: SOAK_SEED=%d%s", fmt.Sprintf(format, args...),
		time.Since(j.start).Round(time.Millisecond), j.seed, last)
	if n == enough {
		j.stop()
	}
}

// tail returns the ring in order. The caller holds j.mu.
func (j *journal) tail() string {
	var b strings.Builder
	for i := max(0, j.n-journalled); i < j.n; i++ {
		b.WriteString(j.events[i%journalled])
		b.WriteByte('\n')
	}
	return b.String()
}

func (j *journal) failures() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) overlaps(o span) bool {
	return (o.to.IsZero() || !s.from.After(o.to)) && (s.to.IsZero() || !o.from.After(s.to))
}

func (s span) earlier(d time.Duration) span { return span{s.from.Add(-d), s.to} }

// history is what was so, and when. A change takes effect somewhere between two
// moments; both states may have been seen in between.
type history[T any] struct {
	mu    sync.Mutex
	spans []span
	what  []T
}

const known = 3 * time.Minute // longer than any lookup or proof here

// begin opens a span that is not over yet.
func (h *history[T]) begin(what T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.spans) > 0 && !h.spans[0].to.IsZero() && time.Since(h.spans[0].to) > known {
		h.spans, h.what = h.spans[1:], h.what[1:]
	}
	h.spans, h.what = append(h.spans, span{from: time.Now()}), append(h.what, what)
}

// end closes all spans but the latest keep ones.
func (h *history[T]) end(keep int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range len(h.spans) - keep {
		if h.spans[i].to.IsZero() {
			h.spans[i].to = time.Now()
		}
	}
}

// change makes what the latest, by way of do.
func (h *history[T]) change(what T, do func()) {
	h.begin(what)
	do()
	h.end(1)
}

// during returns what was so at any time of s.
func (h *history[T]) during(s span) []T {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []T
	for i, o := range h.spans {
		if s.overlaps(o) {
			all = append(all, h.what[i])
		}
	}
	return all
}

func (h *history[T]) latest() (last T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.what); n > 0 {
		last = h.what[n-1]
	}
	return last
}

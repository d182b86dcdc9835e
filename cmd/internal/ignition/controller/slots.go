package controller

import (
	"context"
	"slices"
	"sync"
)

// Slots bounds how many payloads are made at once, and hands slots to token Secrets in
// the order in which they asked. A Secret that gets none keeps no worker waiting: it is
// woken when its slot is free. It is safe for concurrent use.
type Slots struct {
	wake func(ctx context.Context, secret string)

	mu      sync.Mutex
	free    int
	waiting []string        // Secrets, the first to be woken first
	granted map[string]bool // woken, and not come yet
}

// NewSlots returns n slots. wake has a Secret reconciled; it is called once for each
// Secret that waited, when it is its turn.
func NewSlots(n int, wake func(ctx context.Context, secret string)) *Slots {
	return &Slots{wake: wake, free: n, granted: make(map[string]bool)}
}

// take reports whether the Secret has a slot now. If not, it waits for one.
func (s *Slots) take(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.granted[secret]:
		delete(s.granted, secret)
		return true
	case s.free > 0: // then nobody waits
		s.free--
		return true
	case !slices.Contains(s.waiting, secret):
		s.waiting = append(s.waiting, secret)
	}
	return false
}

// give hands a slot to the Secret that waited for the longest time.
func (s *Slots) give(ctx context.Context) {
	s.mu.Lock()
	if len(s.waiting) == 0 {
		s.free++
		s.mu.Unlock()
		return
	}
	next := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.granted[next] = true
	s.mu.Unlock()
	s.wake(ctx, next)
}

// settle notes that the Secret has been reconciled. A slot that it was woken for and
// did not need goes to the next.
func (s *Slots) settle(ctx context.Context, secret string) {
	s.mu.Lock()
	unused := s.granted[secret]
	delete(s.granted, secret)
	s.mu.Unlock()
	if unused {
		s.give(ctx)
	}
}

package httpserver

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// hooks calls Hooks while no request waits. Each Secret has at most one goroutine, so
// there are never more goroutines than token Secrets.
type hooks struct {
	Hooks
	log     *zap.Logger
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	pending map[Secret]int  // payloads served that Served was not called for yet; a goroutine runs for each key
	reached map[Secret]bool // Secrets that Reached has returned nil for
	closed  bool
}

// maxReached bounds hooks.reached. Annotating a Secret again does no harm.
const maxReached = 4096

const (
	firstPause = time.Second
	lastPause  = time.Minute
)

func newHooks(h Hooks, log *zap.Logger) *hooks {
	ctx, stop := context.WithCancel(context.Background())
	return &hooks{Hooks: h, log: log, ctx: ctx, stop: stop, pending: make(map[Secret]int), reached: make(map[Secret]bool)}
}

// served records that a payload of secret was served.
func (h *hooks) served(secret Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	n, active := h.pending[secret]
	h.pending[secret] = n + 1
	if !active {
		h.running.Go(func() { h.report(secret) })
	}
}

// report calls the hooks for one Secret until nothing is left to report.
func (h *hooks) report(secret Secret) {
	for pause := firstPause; ; {
		h.mu.Lock()
		n, reached := h.pending[secret], h.reached[secret] || h.Reached == nil
		if n == 0 && reached || h.ctx.Err() != nil {
			delete(h.pending, secret)
			h.mu.Unlock()
			return
		}
		h.pending[secret] = 0
		h.mu.Unlock()

		for ; n > 0 && h.Served != nil; n-- {
			h.Served(h.ctx, secret)
		}
		if reached {
			continue
		}
		err := h.Reached(h.ctx, secret)
		if err == nil {
			h.done(secret)
			continue
		}
		h.log.Warn("annotating a token secret as reached failed; it is tried again", zap.String("secret", secret.Name), zap.Error(err))
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

// done records that Reached has returned nil for secret.
func (h *hooks) done(secret Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reached) >= maxReached {
		clear(h.reached)
	}
	h.reached[secret] = true
}

// drain takes no more Secrets, waits up to limit for calls under way, and then cancels
// the rest. It reports whether nothing had to be cancelled.
func (h *hooks) drain(ctx context.Context, limit time.Duration) bool {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	done := make(chan struct{})
	go func() { h.running.Wait(); close(done) }()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	clean := true
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		default:
			clean = false
		}
	}
	h.stop()
	<-done
	return clean
}

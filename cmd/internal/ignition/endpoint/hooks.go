package endpoint

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// hooks calls Hooks off the request's path. Each secret has at most one goroutine,
// so there are no more than there are token secrets.
type hooks struct {
	Hooks
	log     *zap.Logger
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	pending map[Secret]int  // payloads served and not yet told of, where a goroutine runs
	reached map[Secret]bool // secrets that are done with
	closed  bool
}

// remembered bounds reached. To annotate a secret again does no harm.
const remembered = 4096

const (
	firstPause = time.Second
	lastPause  = time.Minute
)

func newHooks(h Hooks, log *zap.Logger) *hooks {
	ctx, stop := context.WithCancel(context.Background())
	return &hooks{Hooks: h, log: log, ctx: ctx, stop: stop, pending: make(map[Secret]int), reached: make(map[Secret]bool)}
}

// served notes that a payload of secret was served.
func (h *hooks) served(secret Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	n, active := h.pending[secret]
	h.pending[secret] = n + 1
	if !active {
		h.running.Go(func() { h.tell(secret) })
	}
}

// tell calls the hooks for one secret until there is nothing left to tell.
func (h *hooks) tell(secret Secret) {
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
		h.log.Warn("noting that a node reached the endpoint failed; it is tried again", zap.String("secret", secret.Name), zap.Error(err))
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

func (h *hooks) done(secret Secret) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reached) >= remembered {
		clear(h.reached)
	}
	h.reached[secret] = true
}

// drain takes no more, waits for what is under way as long as it may take, and ends
// the rest. It reports whether nothing was left to end.
func (h *hooks) drain(ctx context.Context, patience time.Duration) bool {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	done := make(chan struct{})
	go func() { h.running.Wait(); close(done) }()
	ctx, cancel := context.WithTimeout(ctx, patience)
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

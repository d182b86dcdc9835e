package wire

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// phase is where an exchange stands.
type phase int

const (
	connecting phase = iota
	waiting
	reading
)

var phaseNames = [...]string{
	connecting: "no connection",
	waiting:    "no answer",
	reading:    "no progress in the body",
}

// limitError is a time limit of ours that ended an exchange.
type limitError struct {
	phase phase
	after time.Duration
}

func (e *limitError) Error() string { return fmt.Sprintf("%s within %v", phaseNames[e.phase], e.after) }

// Timeout marks it for the usual net.Error checks.
func (e *limitError) Timeout() bool { return true }

// watchdog cancels an exchange that stays in a phase too long.
type watchdog struct {
	parent, ctx context.Context
	cancel      context.CancelCauseFunc
	limits      Timeouts

	mu    sync.Mutex
	timer *time.Timer
	phase phase
	ended bool
}

// watch begins in the phase of connecting.
func watch(parent context.Context, limits Timeouts) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watchdog{parent: parent, ctx: ctx, cancel: cancel, limits: limits}
	w.timer = time.AfterFunc(limits.Connect, w.bite)
	return ctx, w
}

func (w *watchdog) bite() {
	w.mu.Lock()
	p := w.phase
	w.mu.Unlock()
	w.cancel(&limitError{p, w.limit(p)})
}

func (w *watchdog) limit(p phase) time.Duration {
	switch p {
	case connecting:
		return w.limits.Connect
	case waiting:
		return w.limits.FirstByte
	}
	return w.limits.Silence
}

// enter moves on to p, or starts p's limit anew.
func (w *watchdog) enter(p phase) { w.enterFor(p, w.limit(p)) }

func (w *watchdog) enterFor(p phase, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// From waiting back to connecting it goes where an idle connection was dead.
	if w.ended || p < w.phase && w.phase == reading {
		return
	}
	w.phase = p
	w.timer.Reset(d)
}

// end releases everything; the exchange is over.
func (w *watchdog) end() {
	w.mu.Lock()
	w.ended = true
	w.timer.Stop()
	w.mu.Unlock()
	w.cancel(context.Canceled)
}

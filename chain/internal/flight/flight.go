// Package flight runs work that several callers want at the same time, once for all of
// them. It differs from golang.org/x/sync/singleflight: the work belongs to no caller.
// No value and no deadline of a caller reaches it, every caller leaves when its own
// context ends, and a panic is an error for all of them.
package flight

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// Group runs at most one piece of work per key at a time. Set the fields before the
// first use. The zero value but for Limit works.
type Group[K comparable, V any] struct {
	// Limit bounds how long work takes as a whole.
	Limit time.Duration
	// Linger is how long work goes on after its last caller left. If it is zero, the
	// work is cancelled at once.
	Linger time.Duration
	// Carry returns the context of the work with the values that it may have of its
	// first caller's context; nil carries nothing.
	Carry func(caller, work context.Context) context.Context
	// Panicked is called when work panics. It returns the error for the callers. value
	// is nil if the work ended its goroutine.
	Panicked func(ctx context.Context, key K, value any, stack []byte) error

	mu      sync.Mutex // held for map operations only
	running map[K]*flight[V]
}

// flight is one piece of work under way.
type flight[V any] struct {
	call   *Call
	cancel context.CancelFunc
	done   chan struct{}
	value  V     // once done
	err    error // once done

	callers int         // guarded by Group.mu
	linger  *time.Timer // guarded by Group.mu; runs while callers is 0
}

// Result is the end of one caller's wait.
type Result[V any] struct {
	Value V
	Err   error
	// Leader is true for the caller that started the work.
	Leader bool
	// Abandoned is true if the caller's context ended first. Err is its error.
	Abandoned bool
	Call      *Call
}

// Do waits for the work of key, and starts it if it is not under way. The first
// caller's deadline is the soft deadline of the work, see [Call.SoftDeadline].
func (g *Group[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) Result[V] {
	return g.wait(ctx, key, work, true)
}

// DoFullTime does what Do does, for work without a soft deadline. It does not join work that has
// one. Callers of Do join it like any other.
func (g *Group[K, V]) DoFullTime(ctx context.Context, key K, work func(context.Context) (V, error)) Result[V] {
	return g.wait(ctx, key, work, false)
}

func (g *Group[K, V]) wait(ctx context.Context, key K, work func(context.Context) (V, error), soft bool) Result[V] {
	f, leader := g.join(ctx, key, work, soft)
	select {
	case <-f.done:
		return Result[V]{Value: f.value, Err: f.err, Leader: leader, Call: f.call}
	case <-ctx.Done():
		g.leave(key, f)
		return Result[V]{Err: ctx.Err(), Leader: leader, Abandoned: true, Call: f.call}
	}
}

func (g *Group[K, V]) join(ctx context.Context, key K, work func(context.Context) (V, error), soft bool) (f *flight[V], leader bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.running[key]; f != nil && (soft || f.call.softDeadline.IsZero()) {
		f.callers++
		f.stopLinger()
		return f, false
	}
	call := &Call{}
	if soft {
		call = newCall(ctx)
	}
	own, cancel := context.WithTimeout(context.WithValue(context.Background(), callKey{}, call), g.Limit)
	if g.Carry != nil {
		own = g.Carry(ctx, own)
	}
	f = &flight[V]{call: call, cancel: cancel, done: make(chan struct{}), callers: 1}
	if g.running == nil {
		g.running = make(map[K]*flight[V])
	}
	g.running[key] = f // a flight with a soft deadline goes on for those who have joined it
	go g.run(own, key, f, work)
	return f, true
}

// run does the work. If the work panics or ends the goroutine, this becomes an error.
func (g *Group[K, V]) run(ctx context.Context, key K, f *flight[V], work func(context.Context) (V, error)) {
	returned := false
	defer func() {
		if !returned {
			f.err = g.Panicked(ctx, key, recover(), debug.Stack())
		}
		g.mu.Lock()
		g.end(key, f)
		g.mu.Unlock()
		close(f.done)
	}()
	f.value, f.err = work(ctx)
	returned = true
}

func (g *Group[K, V]) leave(key K, f *flight[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f.callers--
	switch {
	case f.callers > 0:
	case g.Linger <= 0:
		g.end(key, f)
	default:
		var t *time.Timer
		t = time.AfterFunc(g.Linger, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if f.linger == t { // nobody has joined since
				g.end(key, f)
			}
		})
		f.linger = t
	}
}

// end cancels f, so that nobody joins it any more. The caller holds g.mu.
func (g *Group[K, V]) end(key K, f *flight[V]) {
	f.stopLinger()
	f.cancel()
	if g.running[key] == f {
		delete(g.running, key)
	}
}

// stopLinger stops the timer that ends a flight nobody waits for. The caller holds Group.mu.
func (f *flight[V]) stopLinger() {
	if f.linger != nil {
		f.linger.Stop()
		f.linger = nil
	}
}

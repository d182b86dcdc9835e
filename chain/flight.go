package chain

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// PanicError is a panic in work that was shared between callers. Every one of them
// gets it, and the observer is told.
type PanicError struct {
	Value any    // what was passed to panic; nil if the goroutine was ended
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string {
	if e.Value == nil {
		return "chain: the goroutine of a lookup was ended from inside"
	}
	return fmt.Sprintf("chain: panic in a lookup: %v", e.Value)
}

// caught is what was recovered, by the deferred function that calls it, as an error.
// One that came from another goroutine keeps that one's stack.
func caught(v any) *PanicError {
	if p, ok := v.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// flights runs one piece of work per key for all callers that want it at the same
// time. The work belongs to none of them: its context has no deadline and no value
// of theirs (but what carry takes over), and each caller leaves when its own context ends.
type flights[K comparable, V any] struct {
	// linger is how long work goes on after its last caller left; if zero it is
	// cancelled at once.
	linger time.Duration
	// limit ends work that has callers all the time.
	limit time.Duration
	// carry returns the context of the work with what it may have of its first
	// caller's; nil is nothing.
	carry func(caller, work context.Context) context.Context
	// panicked is told of panics, since all callers may have left; may be nil.
	panicked func(ctx context.Context, key K, err *PanicError)

	mu      sync.Mutex // held for map operations only
	running map[K]*flight[V]
}

// flight is one piece of work under way.
type flight[V any] struct {
	trail  *trail
	cancel context.CancelFunc
	done   chan struct{}
	val    V     // once done
	err    error // once done

	callers int         // guarded by flights.mu
	unused  *time.Timer // guarded by flights.mu; runs while callers is 0
}

// landing is how one caller's wait for a flight ended.
type landing[V any] struct {
	val   V
	err   error
	led   bool // this caller started the work
	left  bool // this caller's context ended first; err is its error
	trail *trail
}

// do waits for the work of key, which it starts if nobody else has.
func (fs *flights[K, V]) do(ctx context.Context, key K, work func(context.Context) (V, error)) landing[V] {
	return fs.wait(ctx, key, work, false)
}

// doUnpaced is do for work that nobody's deadline hurries: it joins no other. Who comes
// later joins it, however little time they have.
func (fs *flights[K, V]) doUnpaced(ctx context.Context, key K, work func(context.Context) (V, error)) landing[V] {
	return fs.wait(ctx, key, work, true)
}

func (fs *flights[K, V]) wait(ctx context.Context, key K, work func(context.Context) (V, error), unpaced bool) landing[V] {
	f, led := fs.join(ctx, key, work, unpaced)
	select {
	case <-f.done:
		return landing[V]{val: f.val, err: f.err, led: led, trail: f.trail}
	case <-ctx.Done():
		fs.leave(key, f)
		return landing[V]{err: ctx.Err(), led: led, left: true, trail: f.trail}
	}
}

func (fs *flights[K, V]) join(ctx context.Context, key K, work func(context.Context) (V, error), unpaced bool) (*flight[V], bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.running[key]; f != nil && (!unpaced || f.trail.pace.IsZero()) {
		f.callers++
		if f.unused != nil {
			f.unused.Stop()
			f.unused = nil
		}
		return f, false
	}
	t := &trail{}
	if !unpaced {
		t = newTrail(ctx)
	}
	wctx, cancel := context.WithTimeout(withTrail(context.Background(), t), fs.limit)
	if fs.carry != nil {
		wctx = fs.carry(ctx, wctx)
	}
	f := &flight[V]{trail: t, cancel: cancel, done: make(chan struct{}), callers: 1}
	if fs.running == nil {
		fs.running = make(map[K]*flight[V])
	}
	fs.running[key] = f // one that is paced goes on for those who have joined it
	go fs.fly(wctx, key, f, work)
	return f, true
}

// fly does the work. A panic, or an end of the goroutine, becomes an error.
func (fs *flights[K, V]) fly(ctx context.Context, key K, f *flight[V], work func(context.Context) (V, error)) {
	returned := false
	defer func() {
		if !returned {
			p := caught(recover())
			f.err = p
			if fs.panicked != nil {
				fs.panicked(ctx, key, p)
			}
		}
		fs.mu.Lock()
		fs.forget(key, f)
		fs.mu.Unlock()
		close(f.done)
	}()
	f.val, f.err = work(ctx)
	returned = true
}

func (fs *flights[K, V]) leave(key K, f *flight[V]) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.callers--
	switch {
	case f.callers > 0:
	case fs.linger <= 0:
		fs.forget(key, f)
	default:
		var t *time.Timer
		t = time.AfterFunc(fs.linger, func() {
			fs.mu.Lock()
			defer fs.mu.Unlock()
			if f.unused == t { // nobody joined meanwhile
				fs.forget(key, f)
			}
		})
		f.unused = t
	}
}

// forget ends f, so that nobody joins it any more. The caller holds fs.mu.
func (fs *flights[K, V]) forget(key K, f *flight[V]) {
	if f.unused != nil {
		f.unused.Stop()
		f.unused = nil
	}
	f.cancel()
	if fs.running[key] == f {
		delete(fs.running, key)
	}
}

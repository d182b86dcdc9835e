package check

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// gates is a Prober that asks each registry for a bounded number of images at once.
type gates struct {
	next    provider.Prober
	size    int
	request time.Duration

	mu  sync.Mutex
	all map[string]*gate
}

func newGates(next provider.Prober, size int, request time.Duration) *gates {
	return &gates{next: next, size: size, request: request, all: make(map[string]*gate)}
}

// gate is one registry's. A registry that answers 429 loses a place each time, down
// to the last one, and is left alone as long as it asks.
type gate struct {
	places chan struct{} // filled with those that are free

	mu    sync.Mutex
	left  int       // places that there are
	quiet time.Time // until when nobody is let in
}

func (g *gates) of(registry string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.all[registry]
	if t == nil {
		t = &gate{places: make(chan struct{}, g.size), left: g.size}
		for range g.size {
			t.places <- struct{}{}
		}
		g.all[registry] = t
	}
	return t
}

const (
	patience = 8                // times that a registry may answer 429 to one request
	pause    = time.Second      // after a 429 that names no time; doubles each time
	longest  = 30 * time.Second // wait that is granted to a registry
)

// Probe asks when it is the request's turn, and again after a 429.
func (g *gates) Probe(ctx context.Context, req provider.Request) (string, error) {
	t := g.of(req.Image.Registry())
	for try := 0; ; try++ {
		if err := t.enter(ctx); err != nil {
			return "", err
		}
		digest, err := g.ask(ctx, req)
		wait, throttled := asksToWait(err, try)
		t.leave(throttled, wait)
		if !throttled || wait > longest || try >= patience {
			return digest, err
		}
	}
}

func (g *gates) ask(ctx context.Context, req provider.Request) (string, error) {
	limited, cancel := context.WithTimeout(ctx, g.request)
	defer cancel()
	digest, err := g.next.Probe(limited, req)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = &provider.Error{Ref: req.Image, Class: provider.ClassTimeout, Err: errors.New("no answer within " + g.request.String())}
	}
	return digest, err
}

func asksToWait(err error, try int) (wait time.Duration, throttled bool) {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassThrottled {
		return 0, false
	}
	if e.RetryAfter > 0 {
		return e.RetryAfter, true
	}
	return min(pause<<try, longest), true
}

// enter waits for a place, and for the registry's quiet time to be over.
func (t *gate) enter(ctx context.Context) error {
	select {
	case <-t.places:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		t.mu.Lock()
		wait := time.Until(t.quiet)
		t.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			t.places <- struct{}{}
			return ctx.Err()
		}
	}
}

// leave gives the place back, unless the registry has too many.
func (t *gate) leave(throttled bool, wait time.Duration) {
	t.mu.Lock()
	keep := true
	if throttled {
		if until := time.Now().Add(min(wait, longest)); until.After(t.quiet) {
			t.quiet = until
		}
		if t.left > 1 {
			t.left--
			keep = false
		}
	}
	t.mu.Unlock()
	if keep {
		t.places <- struct{}{}
	}
}

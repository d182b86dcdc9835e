package check

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// gates is a Prober that asks each registry for a bounded number of images at once,
// and again where it was only busy.
type gates struct {
	next    provider.HeadProvider
	size    int
	request time.Duration

	mu  sync.Mutex
	all map[string]*gate
}

func newGates(next provider.HeadProvider, size int, request time.Duration) *gates {
	return &gates{next: next, size: size, request: request, all: make(map[string]*gate)}
}

func (g *gates) of(registry string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.all[registry]
	if t == nil {
		t = newGate(g.size)
		g.all[registry] = t
	}
	return t
}

const (
	tries   = 4                      // of one request that a registry fails to serve for now
	backoff = 200 * time.Millisecond // before the second, after an error of the registry's own; doubles
)

// Head asks when it is the request's turn, and again where asking again may help.
func (g *gates) Head(ctx context.Context, req provider.Request) (string, error) {
	t := g.of(req.Image.Registry())
	for try := 1; ; try++ {
		period, err := t.enter(ctx)
		if err != nil {
			return "", err
		}
		digest, err := g.ask(ctx, req)
		again := t.leave(period, err) && try < tries
		if !again {
			return digest, err
		}
		if provider.ClassOf(err) == provider.ClassServer {
			if ended := sleep(ctx, backoff<<(try-1)); ended != nil {
				return "", ended
			}
		}
	}
}

func (g *gates) ask(ctx context.Context, req provider.Request) (string, error) {
	limited, cancel := context.WithTimeout(ctx, g.request)
	defer cancel()
	digest, err := g.next.Head(limited, req)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = &provider.Error{Ref: req.Image, Class: provider.ClassTimeout, Err: fmt.Errorf("no answer within %s", g.request)}
	}
	return digest, err
}

// errBusy is told of a registry that asks for more time again and again.
var errBusy = &provider.Error{Class: provider.ClassThrottled, Err: errors.New("not asked: it has answered 429 for too long")}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

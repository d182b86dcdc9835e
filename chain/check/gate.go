package check

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// gates send each registry a bounded number of requests at a time, and repeat those that
// fail because the registry is busy.
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
	tries   = 4                      // of one request
	backoff = 200 * time.Millisecond // before the second try, after an internal error of the registry; doubles
)

// Head asks when the gate of the registry lets the request in. It asks again where that
// may help.
func (g *gates) Head(ctx context.Context, req provider.Request) (digest string, err error) {
	err = g.do(ctx, req.Image, func(ctx context.Context) (err error) {
		digest, err = g.next.Head(ctx, req)
		return err
	})
	return digest, err
}

// do calls ask, which asks the registry of image, when the gate lets it in. It calls it
// again where that may help. One call has the time of one request; at a registry that is
// failing a tenth of it.
func (g *gates) do(ctx context.Context, image imageref.Ref, ask func(context.Context) error) error {
	t := g.of(image.Registry())
	for try := 1; ; try++ {
		pause, err := t.enter(ctx)
		if err != nil {
			return err
		}
		limit := g.request
		if t.failing() {
			limit /= 10
		}
		err = limited(ctx, limit, image, ask)
		if retry := t.leave(pause, err, try == tries); !retry {
			return err
		}
		if provider.ClassOf(err) == provider.ClassServer {
			if ended := sleep.For(ctx, backoff<<(try-1)); ended != nil {
				return ended
			}
		}
	}
}

func limited(ctx context.Context, limit time.Duration, image imageref.Ref, ask func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := ask(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = &provider.Error{Ref: image, Class: provider.ClassTimeout, Err: fmt.Errorf("no answer within %s", limit)}
	}
	return err
}

// errBusy is the error of a registry that asks for more time again and again.
var errBusy = &provider.Error{Class: provider.ClassThrottled, Err: errors.New("not asked: it has answered 429 for too long")}

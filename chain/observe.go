package chain

import (
	"context"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// ObserveConfig configures [Observe].
type ObserveConfig struct {
	// Observers are told of every event, in this order. Without observers the layer does
	// nothing.
	Observers []Observer
}

// Observe returns the layer "observe". It reports each lookup, and gives its observers
// to all layers below that report events.
//
// Observe belongs outermost, so that it measures the time that the caller waits.
func Observe(cfg ObserveConfig) Layer {
	var os observers
	for _, o := range cfg.Observers {
		if o != nil {
			os = append(os, o)
		}
	}
	l := Layer{
		Name:  "observe",
		Above: []string{"translate", "components", "verify", "cache", "mirrors", "store"},
		Wrap:  func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) { return next, nil },
	}
	switch len(os) {
	case 0:
		return l
	case 1:
		l.observer = os[0]
	default:
		l.observer = os
	}
	l.Wrap = func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
		return &observe{next: next, observer: l.observer}, nil
	}
	return l
}

type observe struct {
	next     provider.ReleaseProvider
	observer Observer
}

func (o *observe) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	rules := rulesVersion(&req)
	o.observer.Observe(ctx, Event{Kind: LookupStarted, Image: req.Image, Rules: rules})
	start := time.Now()
	r, err := o.next.Lookup(ctx, req)
	o.observer.Observe(ctx, Event{
		Kind: LookupDone, Image: req.Image, Rules: rules,
		Release: r, Err: err, Took: time.Since(start),
	})
	return r, err
}

package chain_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Out of time with an old answer at hand, after an endpoint has denied it: then the
// old answer is not one any more.
func TestCacheDeniedAtTheDeadline(t *testing.T) {
	for name, tt := range map[string]struct {
		mirror endpoint
		stale  bool
	}{
		"away":         {fails(provider.ClassUnreachable), true},
		"not found":    {fails(provider.ClassNotFound), false},
		"unauthorized": {fails(provider.ClassUnauthorized), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newFakes(t, map[string]endpoint{mirrorA: answers})
				c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
				lookup(t, c, provider.Request{Image: tagged})
				time.Sleep(time.Minute)
				base.become(map[string]endpoint{mirrorA: tt.mirror, source: hangs})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				r, err := c.Lookup(ctx, provider.Request{Image: tagged})
				if (err == nil) != tt.stale || err == nil && !r.Stale() {
					t.Errorf("%v, %v; want an old answer: %v", r, err, tt.stale)
				}
				time.Sleep(time.Hour) // let the work end
			})
		})
	}
}

// The same for the answer of an earlier process, to a caller with little time.
func TestCacheStateAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := true
		base := &keeper{opener: opener{open: func(ctx context.Context, _ provider.Request) (string, provider.Platform, error) {
			if up {
				return digest, provider.Platform{}, nil
			}
			<-ctx.Done()
			return "", provider.Platform{}, ctx.Err()
		}}}
		state := &memo{}
		process := func() *chain.Chain {
			return newChain(t, base, newRules(t, mirrored(source, mirrorA)),
				chain.Cache(chain.CacheConfig{State: state}), chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{}))
		}
		lookup(t, process(), provider.Request{Image: tagged})
		up = false
		c := process()
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			r, err := c.Lookup(ctx, provider.Request{Image: tagged})
			cancel()
			if err != nil || !r.Stale() || r.PulledFrom().Name() != mirrorA {
				t.Errorf("%v, %v; want the answer of the process before", r, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Lookup(ctx, provider.Request{Image: tagged}); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up got %v", err)
		}
		time.Sleep(time.Hour) // let the work end
		if base.restored != 1 {
			t.Errorf("restored %d times; want once", base.restored)
		}
	})
}

package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// P7: a thousand callers are one lookup; each leaves when it wants to.
func TestCacheSharesLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{source: takes(10 * time.Second)})
		c := cacheOver(t, base, chain.CacheConfig{})
		start := time.Now()
		var wg sync.WaitGroup
		var answered, remaining atomic.Int64
		for i := range 1000 {
			wg.Go(func() {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				limit := time.Duration(i)*20*time.Millisecond + time.Millisecond // up to 20 s, and never 10 s
				if i%3 != 0 {
					ctx, cancel = context.WithTimeout(ctx, limit)
				}
				defer cancel()
				r, err := c.Lookup(ctx, provider.Request{Image: image})
				switch took := time.Since(start); {
				case err == nil && took == 10*time.Second && len(slices.Collect(r.Attempts())) == 1:
					answered.Add(1)
				case errors.Is(err, context.DeadlineExceeded) && took == limit && limit < 10*time.Second:
					remaining.Add(1)
				default:
					t.Errorf("caller %d with %s: %v after %s", i, limit, err, took)
				}
			})
		}
		wg.Wait()
		if answered.Load() < 600 || remaining.Load() < 300 {
			t.Errorf("%d callers answered, %d left", answered.Load(), remaining.Load())
		}
		wantList(t, "asked", base.names(), source)
	})
}

// However callers and the end of a lookup fall together, nothing is fetched twice.
func TestCacheFetchesOnce(t *testing.T) {
	base := newFakes(t, map[string]endpoint{source: answers})
	c := cacheOver(t, base, chain.CacheConfig{})
	const rounds = 300
	for i := range rounds {
		req := provider.Request{Image: mustParse(t, fmt.Sprintf("%s@sha256:%064x", source, i))}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := c.Lookup(t.Context(), req); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := len(base.names()); n != rounds {
		t.Errorf("%d fetches of %d releases", n, rounds)
	}
}

// When all have left the work goes on, for the next to find.
func TestCacheWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{source: takes(30 * time.Second)})
		c := cacheOver(t, base, chain.CacheConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Lookup(ctx, provider.Request{Image: image}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lookup: %v; want the caller's deadline", err)
		}
		time.Sleep(30 * time.Second)
		lookup(t, c, provider.Request{Image: image})
		wantList(t, "asked", base.names(), source)

		// But not for ever, and not into the cache: the caller's end is no answer.
		base.become(map[string]endpoint{source: hangs})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Lookup(ctx, provider.Request{Image: tagged}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lookup: %v; want the caller's deadline", err)
		}
		time.Sleep(time.Hour)
		base.become(map[string]endpoint{source: answers})
		lookup(t, c, provider.Request{Image: tagged})
	})
}

// The time until the first caller's deadline is divided as if it asked directly.
func TestCacheWorkKeepsTheCallersPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs, source: answers})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA, mirrorB))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r, err := c.Lookup(ctx, provider.Request{Image: image})
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": timeout", mirrorB+": timeout", source)
	})
}

// What failed only because one caller had no time is tried again for one that has.
func TestCacheHastyCallerFailsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: takes(5 * time.Second)})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
		hasty := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Lookup(ctx, provider.Request{Image: image})
			hasty <- err
		}()
		synctest.Wait()
		lookup(t, c, provider.Request{Image: image})
		if err := <-hasty; !errors.Is(err, provider.ErrTimeout) {
			t.Errorf("the hasty caller got %v; want a timeout", err)
		}
		wantList(t, "asked", base.names(), mirrorA, source, mirrorA)
	})
}

// However many callers without time come one after another, one with time waits for
// one of their failures at most; and from then on they wait with it.
func TestCacheHastyCallersStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: takes(3 * time.Second)})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
		hasty := func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				_, _ = c.Lookup(ctx, provider.Request{Image: image})
				cancel()
			}
		}
		var wg sync.WaitGroup
		wg.Go(hasty)
		time.Sleep(100 * time.Millisecond)
		for range 3 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := c.Lookup(ctx, provider.Request{Image: image}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// The first hasty flight, the one of those who have time, and between the two
		// perhaps another that began sooner.
		if asked := base.names(); len(asked) > 5 {
			t.Errorf("%d requests: %q; want at most two flights that fail, and one", len(asked), asked)
		}
	})
}

// Nor is it given an old answer for another one's lack of time.
func TestCacheHastyCallerMakesNobodyStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: answers})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
		lookup(t, c, provider.Request{Image: tagged})
		time.Sleep(time.Minute)
		base.become(map[string]endpoint{mirrorA: takes(5 * time.Second)})
		hasty := make(chan bool, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			r, err := c.Lookup(ctx, provider.Request{Image: tagged})
			hasty <- err == nil && r.Stale()
		}()
		synctest.Wait()
		if r := lookup(t, c, provider.Request{Image: tagged}); r.Stale() {
			t.Error("the caller with more time got an old answer")
		}
		if !<-hasty {
			t.Error("the hasty caller got no old answer")
		}
	})
}

// A caller that leaves is told what had been tried until then.
func TestCacheLeavingCallerLearnsWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{source: hangs})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Lookup(ctx, provider.Request{Image: image})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, provider.ErrUnreachable) || !strings.Contains(err.Error(), mirrorA) ||
			!strings.Contains(err.Error(), source+"@"+digest+": context deadline exceeded") {
			t.Errorf("Lookup: %v; want the deadline, who was being asked, and the mirror that was unreachable", err)
		}
		time.Sleep(time.Hour)
	})
}

type callerKey struct{}

// Nothing of the caller that started a lookup is seen by what it shares.
func TestCacheStripsValues(t *testing.T) {
	base := newFakes(t, map[string]endpoint{source: func(ctx context.Context, _ provider.Request, _ int) error {
		if v := ctx.Value(callerKey{}); v != nil {
			t.Errorf("the lookup's context holds the caller's %v", v)
		}
		return nil
	}})
	c := cacheOver(t, base, chain.CacheConfig{})
	if _, err := c.Lookup(context.WithValue(t.Context(), callerKey{}, "trace"), provider.Request{Image: image}); err != nil {
		t.Fatal(err)
	}
}

func TestCachePanic(t *testing.T) {
	var seen events
	base := newFakes(t, map[string]endpoint{source: func(_ context.Context, _ provider.Request, n int) error {
		if n == 0 {
			panic("boom")
		}
		return nil
	}})
	c := newChain(t, base, newRules(t), chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&seen}}),
		chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
	_, err := c.Lookup(t.Context(), provider.Request{Image: image})
	if p, ok := errors.AsType[*chain.PanicError](err); !ok || p.Value != "boom" {
		t.Errorf("Lookup: %v; want the panic as an error", err)
	}
	wantList(t, "events", seen.kinds(), "lookup-started", "panicked", "cache-miss", "lookup-done")
	lookup(t, c, provider.Request{Image: image}) // it was not remembered
}

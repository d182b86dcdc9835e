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
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

func cacheOver(t testing.TB, base provider.ReleaseProvider, cfg chain.CacheConfig, rules ...policy.Rule) *chain.Chain {
	t.Helper()
	return newChain(t, base, newRules(t, rules...), chain.Cache(cfg), chain.Mirrors(chain.MirrorsConfig{}))
}

func lookup(t testing.TB, p provider.ReleaseProvider, req provider.Request) *provider.Release {
	t.Helper()
	r, err := p.Lookup(t.Context(), req)
	if err != nil {
		t.Fatalf("Lookup(%s): %v", req.Image, err)
	}
	return r
}

func TestCacheAnswers(t *testing.T) {
	base := newFakes(t, map[string]endpoint{mirrorB: answers})
	c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA, mirrorB))
	first := lookup(t, c, provider.Request{Image: image})
	wantList(t, "attempts", tried(slices.Collect(first.Attempts())), mirrorA+": unreachable", mirrorB)

	// A tag beside the digest is asked for and not looked up.
	both := mustParse(t, source+":4.17.3@"+digest)
	second := lookup(t, c, provider.Request{Image: both})
	wantList(t, "asked", base.names(), mirrorA, mirrorB)
	wantList(t, "attempts of a hit", tried(slices.Collect(second.Attempts())))
	if second.Image() != both || second.PulledFrom().Name() != mirrorB || second.Stale() {
		t.Errorf("hit: image %s, pulled from %s, stale %v", second.Image(), second.PulledFrom(), second.Stale())
	}
}

func TestCacheKey(t *testing.T) {
	creds := func(user string) provider.Credentials {
		c, err := provider.NewCredentials(map[string]provider.Credential{"quay.io": provider.NewCredential(user, "x")})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	arm := provider.Platform{Architecture: "arm64"}
	other := newRules(t, mirrored("other.example", "mirror.example"))
	base := newFakes(t, map[string]endpoint{source: answers})
	c := cacheOver(t, base, chain.CacheConfig{})
	reqs := []provider.Request{
		{Image: image}, {Image: tagged}, {Image: image, Platform: arm}, {Image: image, Rules: other},
		{Image: image, Credentials: creds("one")}, {Image: image, Credentials: creds("two")},
	}
	for range 3 {
		for _, req := range reqs {
			lookup(t, c, req)
		}
	}
	if got := len(base.names()); got != len(reqs) {
		t.Errorf("%d requests for %d different lookups, three times each", got, len(reqs))
	}
	// Spelt otherwise, the same.
	for _, req := range []provider.Request{
		{Image: image, Platform: provider.Platform{}.OrDefault()}, {Image: image, Platform: provider.Platform{OS: "linux", Architecture: "arm64"}},
		{Image: image, Credentials: creds("one")}, {Image: image, Rules: newRules(t, mirrored("other.example", "mirror.example"))},
	} {
		lookup(t, c, req)
	}
	if got := len(base.names()); got != len(reqs) {
		t.Errorf("%d requests after asking the same in other words; want still %d", got, len(reqs))
	}
}

func TestCacheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{source: answers})
		c := cacheOver(t, base, chain.CacheConfig{})
		ask := func(what string, want int) {
			t.Helper()
			for _, ref := range []provider.Request{{Image: image}, {Image: tagged}} {
				lookup(t, c, ref)
			}
			if got := len(base.names()); got != want {
				t.Errorf("%s: %d requests so far; want %d", what, got, want)
			}
		}
		ask("first", 2)
		time.Sleep(59 * time.Second)
		ask("just before the tag expires", 2)
		time.Sleep(time.Second)
		ask("when it has", 3)
		time.Sleep(1000 * time.Hour)
		ask("long after", 4)
	})
}

func TestCacheNegative(t *testing.T) {
	unknown := func(context.Context, provider.Request, int) error { return errors.New("what is this") }
	noRules := func(context.Context, provider.Request, int) error { return provider.ErrNoRules }
	for name, tt := range map[string]struct {
		fail endpoint
		ttl  time.Duration
	}{
		"not found":    {fails(provider.ClassNotFound), 15 * time.Second},
		"unauthorized": {fails(provider.ClassUnauthorized), 15 * time.Second},
		"digest":       {fails(provider.ClassDigest), 15 * time.Second},
		"unreachable":  {fails(provider.ClassUnreachable), 3 * time.Second},
		"tls":          {fails(provider.ClassTLS), 3 * time.Second},
		"throttled":    {failing(1000, provider.ClassThrottled, time.Hour), 3 * time.Second},
		"unknown":      {unknown, 0},
		"no rules":     {noRules, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newFakes(t, map[string]endpoint{source: tt.fail})
				c := cacheOver(t, base, chain.CacheConfig{})
				ask := func(what string, want int) {
					t.Helper()
					if _, err := c.Lookup(t.Context(), provider.Request{Image: image}); err == nil {
						t.Errorf("%s: no error", what)
					}
					if got := len(base.names()); got != want {
						t.Errorf("%s: %d requests so far; want %d", what, got, want)
					}
				}
				ask("first", 1)
				if tt.ttl == 0 {
					ask("again", 2)
					return
				}
				time.Sleep(tt.ttl - time.Millisecond)
				ask("remembered", 1)
				time.Sleep(time.Millisecond)
				ask("forgotten", 2)
			})
		})
	}
}

// A mirror's denial beside one that is away: the shorter of the two times.
func TestCacheNegativeMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassNotFound)})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
		for range 2 {
			if _, err := c.Lookup(t.Context(), provider.Request{Image: image}); err == nil {
				t.Error("no error")
			}
			time.Sleep(3 * time.Second)
		}
		wantList(t, "asked", base.names(), mirrorA, source, mirrorA, source)
	})
}

func TestCacheStale(t *testing.T) {
	for name, tt := range map[string]struct {
		mirror, source endpoint
		stale          bool
	}{
		"unreachable":       {fails(provider.ClassUnreachable), fails(provider.ClassUnreachable), true},
		"one hangs":         {hangs, fails(provider.ClassServer), true},
		"throttled, tls":    {fails(provider.ClassThrottled), fails(provider.ClassTLS), true},
		"not found":         {fails(provider.ClassNotFound), fails(provider.ClassUnreachable), false},
		"unauthorized":      {fails(provider.ClassUnreachable), fails(provider.ClassUnauthorized), false},
		"digest":            {fails(provider.ClassDigest), fails(provider.ClassUnreachable), false},
		"malformed":         {fails(provider.ClassMalformed), fails(provider.ClassUnreachable), false},
		"an unknown reason": {fails(provider.ClassUnknown), fails(provider.ClassUnreachable), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newFakes(t, map[string]endpoint{mirrorA: answers})
				c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
				lookup(t, c, provider.Request{Image: tagged})
				time.Sleep(time.Minute)
				base.become(map[string]endpoint{mirrorA: tt.mirror, source: tt.source})

				r, err := c.Lookup(t.Context(), provider.Request{Image: tagged})
				if !tt.stale {
					if err == nil {
						t.Fatalf("an old answer (stale: %v) although an endpoint had one", r.Stale())
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if !r.Stale() || r.Image() != tagged || r.PulledFrom().Name() != mirrorA {
					t.Errorf("stale %v, image %s, pulled from %s", r.Stale(), r.Image(), r.PulledFrom())
				}
				failed := tried(slices.Collect(r.Attempts()))
				if len(failed) < 2 || !strings.HasPrefix(failed[0], mirrorA+":") || !strings.HasPrefix(failed[1], source+":") {
					t.Errorf("attempts %q; want why neither answered", failed)
				}

				// For a moment nobody is asked again; then one that is back is used.
				n := len(base.names())
				if r := lookup(t, c, provider.Request{Image: tagged}); !r.Stale() || len(base.names()) != n {
					t.Errorf("stale %v after %d more requests; want the old answer at once", r.Stale(), len(base.names())-n)
				}
				base.become(map[string]endpoint{mirrorA: answers})
				time.Sleep(3 * time.Second)
				if r := lookup(t, c, provider.Request{Image: tagged}); r.Stale() {
					t.Error("still the old answer although the mirror is back")
				}
			})
		})
	}
}

// A site without a way out: the mirror is away and policy forbids the source.
func TestCacheStaleBehindForbiddenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := mirrored(source, mirrorA)
		never.NeverContactSource = true
		base := newFakes(t, map[string]endpoint{mirrorA: answers})
		c := cacheOver(t, base, chain.CacheConfig{}, never)
		lookup(t, c, provider.Request{Image: tagged})
		time.Sleep(time.Minute)
		base.become(nil)
		if r := lookup(t, c, provider.Request{Image: tagged}); !r.Stale() {
			t.Error("the answer does not say that it is stale")
		}
		wantList(t, "asked", base.names(), mirrorA, mirrorA)
	})
}

// Out of time with an old answer at hand: that, and what was tried.
func TestCacheStaleAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: answers})
		c := cacheOver(t, base, chain.CacheConfig{}, mirrored(source, mirrorA))
		lookup(t, c, provider.Request{Image: tagged})
		time.Sleep(time.Minute)
		base.become(map[string]endpoint{source: hangs})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := c.Lookup(ctx, provider.Request{Image: tagged})
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": unreachable", source+": timeout")
		if !r.Stale() {
			t.Error("the answer does not say that it is stale")
		}

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Lookup(ctx, provider.Request{Image: tagged}); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up got %v; want context.Canceled", err)
		}
		time.Sleep(time.Hour) // let the work end
	})
}

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

func TestCacheIsBounded(t *testing.T) {
	base := newFakes(t, map[string]endpoint{source: answers})
	base.content = release(t, 100)
	size := int64(base.content.Size())
	if size < 100*150 || size > 100*1500 {
		t.Errorf("a release of 100 components is estimated at %d bytes", size)
	}
	c := cacheOver(t, base, chain.CacheConfig{MaxBytes: 10 * 2 * size})
	ask := func(i, want int) {
		t.Helper()
		lookup(t, c, provider.Request{Image: mustParse(t, fmt.Sprintf("%s@sha256:%064x", source, i))})
		if got := len(base.names()); got != want {
			t.Fatalf("%d requests after asking for release %d; want %d", got, i, want)
		}
	}
	for i := range 100 {
		ask(i, i+1)
		ask(0, i+1) // what is asked for all the time stays
	}
	ask(99, 100)
	ask(50, 101)
	base.asked = nil
	none := cacheOver(t, base, chain.CacheConfig{MaxBytes: -1})
	lookup(t, none, provider.Request{Image: image})
	lookup(t, none, provider.Request{Image: image})
	wantList(t, "asked without room", base.names(), source, source)
}

func TestCacheReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		base := newFakes(t, map[string]endpoint{source: answers})
		c := newChain(t, base, newRules(t), chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{nil, &seen, chain.LogObserver(nil)}}),
			chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
		ask := func(want ...string) {
			t.Helper()
			seen.all = nil
			_, _ = c.Lookup(t.Context(), provider.Request{Image: tagged})
			wantList(t, "events", seen.kinds(), slices.Concat([]string{"lookup-started"}, want, []string{"lookup-done"})...)
		}
		ask("attempt-done", "cache-miss")
		ask("cache-hit")
		time.Sleep(time.Minute)
		base.become(nil)
		ask("attempt-done", "host-suspect", "cache-stale", "cache-miss")
		ask("cache-stale")
	})
}

package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

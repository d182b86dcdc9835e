package chain_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
)

// fullChain returns every layer, observed by a log at a level that says nothing here.
func fullChain(t testing.TB, base provider.ReleaseProvider, current func() *policy.Rules) *chain.Chain {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	c, err := chain.New(base, current,
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{chain.LogObserver(log)}}),
		chain.Translate(chain.TranslateConfig{Live: true}),
		chain.Components(chain.ComponentsConfig{Images: map[string]imageref.Ref{"added": imageref.MustParse("added.example/x:1")}}),
		verifying(&fakeVerifier{id: "all"}),
		chain.Cache(chain.CacheConfig{}),
		chain.Mirrors(chain.MirrorsConfig{}),
		chain.Store(chain.StoreConfig{}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// manySources returns rules of realistic size that have mirrors for the images here.
func manySources(t testing.TB, n int) *policy.Rules {
	rules := []policy.Rule{mirrored(source, mirrorA, mirrorB), mirrored(artDev, mirrorA, mirrorB)}
	for i := range n {
		rules = append(rules, mirrored(fmt.Sprintf("registry-%d.example/ns/repo", i), mirrorA, mirrorB))
	}
	return newRules(t, rules...)
}

// P2: a warm lookup asks nobody and allocates next to nothing, whatever the size
// of the release.
func TestWarmLookupAllocations(t *testing.T) {
	for _, components := range []int{3, 300} {
		base := newFakes(t, map[string]endpoint{mirrorA: answers})
		base.content = release(t, components)
		c := fullChain(t, base, always(manySources(t, 100)))
		creds := tenant(t, "quay.io", "one")
		for _, req := range []provider.Request{
			{Image: image}, {Image: tagged}, {Image: image, Credentials: creds, Platform: provider.Platform{Architecture: "arm64"}},
		} {
			lookup(t, c, req)
			before := len(base.names())
			got := testing.AllocsPerRun(200, func() {
				if _, err := c.Lookup(context.Background(), req); err != nil {
					t.Error(err)
				}
			})
			t.Logf("%d components, %s: %.0f allocations", components, req.Image, got)
			if got > 4 {
				t.Errorf("%d components, %s: %.0f allocations; want at most 4", components, req.Image, got)
			}
			if n := len(base.names()) - before; n != 0 {
				t.Errorf("%d requests in warm lookups", n)
			}
		}
	}
}

// A remembered failure costs nothing to repeat.
func TestWarmFailureAllocations(t *testing.T) {
	c := fullChain(t, newFakes(t, map[string]endpoint{source: fails(provider.ClassNotFound)}), always(newRules(t)))
	req := provider.Request{Image: image}
	got := testing.AllocsPerRun(200, func() {
		if _, err := c.Lookup(context.Background(), req); err == nil {
			t.Error("no error")
		}
	})
	if got > 4+10 { // it is a warning, which is logged
		t.Errorf("%.0f allocations", got)
	}
}

// BenchmarkWarm is P2: the whole chain, beside Candidates alone.
func BenchmarkWarm(b *testing.B) {
	rules := manySources(b, 1000)
	base := newFakes(b, map[string]endpoint{mirrorA: answers})
	base.content = release(b, 146)
	c := fullChain(b, base, always(rules))
	for _, bb := range []struct {
		name string
		ref  imageref.Ref
	}{{"digest", image}, {"tag", tagged}} {
		req := provider.Request{Image: bb.ref}
		b.Run("candidates/"+bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Candidates(bb.ref); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("chain/"+bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Lookup(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("chain-parallel/"+bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := c.Lookup(context.Background(), req); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkThousandCallers is P7: what it takes until a thousand callers of one
// release that nobody holds yet have it.
func BenchmarkThousandCallers(b *testing.B) {
	base := newFakes(b, map[string]endpoint{source: answers})
	c := fullChain(b, base, always(newRules(b)))
	for i := 0; b.Loop(); i++ {
		req := provider.Request{Image: mustParse(b, fmt.Sprintf("%s:%d", source, i))} // a digest would not be that of the fake's release
		base.asked = nil
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if _, err := c.Lookup(context.Background(), req); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(base.names()); n != 1 {
			b.Fatalf("%d requests", n)
		}
	}
}

// Rules change all the time; no lookup sees two versions. Each version rewrites to
// a place of its own and mirrors from a place of its own.
func TestLookupsUnderReloads(t *testing.T) {
	const versions, lookups = 8, 20_000
	var all []*policy.Rules
	for v := range versions {
		all = append(all, newRules(t,
			mirrored(source, fmt.Sprintf("v%d.example/release", v)),
			rewriting(artDev, fmt.Sprintf("v%d.example/art", v))))
	}
	var current atomic.Pointer[policy.Rules]
	current.Store(all[0])
	stop := make(chan struct{})
	var reloads sync.WaitGroup
	reloads.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				current.Store(all[i%versions])
			}
		}
	})

	shared := release(t, 3)
	base := provider.ReleaseFunc(func(_ context.Context, req provider.Request) (*provider.Release, error) {
		r := shared
		if d := req.Image.Digest(); d != shared.Digest() {
			r = shared.With(func(data *provider.ReleaseData) { data.Digest = d })
		}
		return r.WithAnswer(provider.Answer{Image: req.Image, PulledFrom: req.Image}), nil
	})
	inner := fullChain(t, providertest.Base{ReleaseProvider: base}, current.Load)
	c, err := chain.New(inner, current.Load, chain.Translate(chain.TranslateConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	var seen [versions]atomic.Bool
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range lookups / 4 {
				ref := image
				if i%50 == g { // mostly warm, some cold
					ref = imageref.MustParse(fmt.Sprintf("%s@sha256:%064x", source, i))
				}
				r, err := c.Lookup(t.Context(), provider.Request{Image: ref})
				if err != nil {
					t.Error(err)
					return
				}
				got, ok := r.Component("component-000")
				if from := r.PulledFrom().Registry(); !ok || got.Image.Registry() != from || got.PullFrom[0].Registry() != from {
					t.Errorf("pulled from %s, rewritten to %s, pull from %v: two versions in one lookup", from, got.Image, got.PullFrom)
				}
				var v int
				if _, err := fmt.Sscanf(r.PulledFrom().Registry(), "v%d.example", &v); err == nil {
					seen[v].Store(true)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	reloads.Wait()
	n := 0
	for i := range seen {
		if seen[i].Load() {
			n++
		}
	}
	if n < 2 {
		t.Errorf("%d versions of the rules were seen; the test shows nothing", n)
	}
}

package chain_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// What the package documentation says of a lookup whose first mirror is dead, and of the
// lookups after it, step by step.
func TestAsDocumented(t *testing.T) {
	first, second, third, fourth := smallRelease(1), smallRelease(2), smallRelease(3), smallRelease(4)
	s := newSite(t, first)
	b := s.mirror
	a, err := testregistry.Start(testregistry.Config{CA: b.CA()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	a.Push(repo, "", first)
	for _, r := range []*testregistry.Registry{a, b} {
		r.Push(repo, "", second)
		r.Push(repo, "", third)
	}
	a.Down()

	var attempts atomic.Int32
	healthy := make(chan struct{})
	mirrors, hosts := noHedges, health.New(health.Config{})
	mirrors.Health = hosts
	rules := newRules(t, mirrored(s.source.Host()+"/"+repo, a.Host()+"/"+repo, b.Host()+"/"+repo))
	c := newChain(t, s.registry, rules, chain.Default(chain.DefaultConfig{
		Mirrors: mirrors,
		Cache:   chain.CacheConfig{NegativeTTL: time.Hour},
		Observers: []chain.Observer{chain.ObserverFunc(func(_ context.Context, e chain.Event) {
			switch e.Kind {
			case chain.AttemptDone:
				attempts.Add(1)
			case chain.HostHealthy:
				close(healthy) // once: a alone fails and recovers
			}
		})},
	})...)
	request := func(digest string) provider.Request { return s.request(s.source.ByDigest(repo, digest)) }
	lookup := func(req provider.Request) *provider.Release {
		t.Helper()
		r, err := c.Lookup(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	r := lookup(request(first.Digest))
	wantList(t, "attempts", tried(slices.Collect(r.Attempts())), a.Host()+"/"+repo+": unreachable", b.Host()+"/"+repo)
	if r.PulledFrom().Registry() != b.Host() || b.Count(manifests) != 1 || b.Count() != 2 {
		t.Errorf("from %s, after %d requests to b; want b, after 2", r.PulledFrom(), b.Count())
	}
	if hosts.State(a.Host()) != health.Suspect || hosts.State(b.Host()) != health.Healthy {
		t.Errorf("health of a and b: %s, %s", hosts.State(a.Host()), hosts.State(b.Host()))
	}

	// The same again: Cache answers.
	before := attempts.Load()
	if r := lookup(request(first.Digest)); len(slices.Collect(r.Attempts())) != 0 || attempts.Load() != before {
		t.Errorf("%d attempts for what was answered before, want none", attempts.Load()-before)
	}

	// Another image: a probe finds that a is back, and then a has its old place.
	if err := a.Up(); err != nil {
		t.Fatal(err)
	}
	lookup(request(second.Digest))
	<-healthy
	if r := lookup(request(third.Digest)); r.PulledFrom().Registry() != a.Host() {
		t.Errorf("from %s, want a in its old place", r.PulledFrom())
	}

	// Other credentials: they read the manifest, and Store has the rest.
	req := request(first.Digest)
	if req.Credentials, err = provider.NewCredentials(map[string]provider.Credential{a.Host(): provider.NewCredential("bob", "secret")}); err != nil {
		t.Fatal(err)
	}
	a.ResetLog()
	lookup(req)
	if a.Count(manifests) != 1 || a.Count() != 1 {
		t.Errorf("%d requests with other credentials, want that for the manifest", a.Count())
	}

	// All fail: each is asked once, and Cache answers the next lookup.
	for _, r := range []*testregistry.Registry{a, b, s.source} {
		r.Down()
	}
	_, err = c.Lookup(t.Context(), request(fourth.Digest))
	failed, ok := errors.AsType[*chain.Error](err)
	if !ok || failed.Class() != provider.ClassUnreachable {
		t.Fatalf("got %v, want a *chain.Error of class unreachable", err)
	}
	wantList(t, "attempts", tried(failed.Attempts), a.Host()+"/"+repo+": unreachable", b.Host()+"/"+repo+": unreachable", s.source.Host()+"/"+repo+": unreachable")
	before = attempts.Load()
	if _, repeated := c.Lookup(t.Context(), request(fourth.Digest)); !errors.Is(repeated, err) || attempts.Load() != before {
		t.Errorf("again: %v, after %d attempts; want the same error, and none", repeated, attempts.Load()-before)
	}
}

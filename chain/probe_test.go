package chain_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// A mirror that is well again has its place back with the next lookup but one, though
// the mirror behind it is quicker, and no lookup takes longer for that.
func TestRecoveredMirrorIsSlower(t *testing.T) {
	for name, req := range map[string]provider.Request{"digest": ofDigest, "tag": ofTag} {
		for _, firstByte := range []time.Duration{30 * ms, 400 * ms} {
			t.Run(name+" "+firstByte.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					quick := begins(10*ms, takes(10*ms))
					s := newHosts(t, map[string]endpoint{mirrorB: quick})
					s.asks(t, req) // one reset connection
					if s.health.Healthy("a.example") {
						t.Fatalf("hosts: %s", s.states())
					}
					s.become(map[string]endpoint{mirrorA: begins(firstByte, takes(10*ms)), mirrorB: quick})
					asked, took := s.asks(t, req)
					wantList(t, "asked with the probe", asked, mirrorA, mirrorB)
					if took != 20*ms {
						t.Errorf("the lookup with the probe took %s, want 20 ms", took)
					}
					time.Sleep(time.Second)
					if asked, _ = s.asks(t, req); !slices.Contains(asked, mirrorA) || !s.health.Healthy("a.example") {
						t.Errorf("asked %q; hosts: %s", asked, s.states())
					}
				})
			})
		}
	}
}

// A cache that must fetch a cold image first is slow once, and not put behind for that.
func TestColdImageOfPullThroughCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		warm, cold, b := begins(30*ms, takes(10*ms)), begins(800*ms, takes(20*ms)), begins(15*ms, takes(10*ms))
		s := newHosts(t, map[string]endpoint{mirrorA: warm, mirrorB: b})
		s.asks(t, ofDigest)
		s.become(map[string]endpoint{mirrorA: cold, mirrorB: b})
		s.asks(t, ofDigest)
		s.asks(t, ofDigest) // with a probe, for another cold image
		time.Sleep(time.Second)
		s.become(map[string]endpoint{mirrorA: warm, mirrorB: b})
		asked, _ := s.asks(t, ofDigest)
		wantList(t, "asked", asked, mirrorA)
	})
}

// A probe goes on neither for long nor beside another one, whatever its caller does.
func TestProbeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorA: hangs, mirrorB: takes(20 * ms)})
		s.health.Report(health.Report{Host: "a.example", Outcome: health.Failure})
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
			lookup(t, chainIn{s, ctx}, ofDigest)
			cancel()
		}
		if n := s.running.Load(); n != 1 {
			t.Errorf("%d attempts go on, want the probe", n)
		}
		time.Sleep(2 * time.Second)
		if n, got := s.running.Load(), s.health.Hosts()[0]; n != 0 || got.Failures != 2 || got.Probing {
			t.Errorf("%d attempts go on; host: %+v", n, got)
		}
	})
}

// chainIn is a provider whose callers all have one context.
type chainIn struct {
	provider.ReleaseProvider
	ctx context.Context
}

func (c chainIn) Lookup(_ context.Context, req provider.Request) (*provider.Release, error) {
	return c.ReleaseProvider.Lookup(c.ctx, req)
}

// A panic in a probe that goes on ends nothing, and is told.
func TestProbeThatGoesOnPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorB: takes(20 * ms), mirrorA: func(context.Context, provider.Request, int) error {
			time.Sleep(100 * ms)
			panic("boom")
		}})
		s.health.Report(health.Report{Host: "a.example", Outcome: health.Failure})
		lookup(t, s, ofDigest)
		time.Sleep(time.Second)
		if h := s.health.Hosts()[0]; h.Probing || !slices.Contains(s.seen.kinds(), chain.Panicked.String()) {
			t.Errorf("host: %+v; events %q", h, s.seen.kinds())
		}
	})
}

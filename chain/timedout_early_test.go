package chain_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// silentFor returns an endpoint that is silent until the base provider's limit d on the first byte.
func silentFor(d time.Duration) endpoint {
	return func(ctx context.Context, req provider.Request, n int) error {
		if err := takes(d)(ctx, req, n); err != nil {
			return err
		}
		return fails(provider.ClassTimeout)(ctx, req, n)
	}
}

// The only mirror ahead of the source costs its whole limit once, and each time that it
// is probed; else no more than the time after which one is hedged. Nobody is asked
// beside it.
func TestUnhealthyMirrorAloneIsNotWaitedFor(t *testing.T) {
	for name, req := range map[string]provider.Request{"digest": ofDigest, "tag": ofTag} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHosts(t, map[string]endpoint{mirrorA: silentFor(5 * time.Second), source: answers}, mirrorA)
				var got []time.Duration
				ask := func() {
					asked, took := s.asks(t, req)
					wantList(t, "asked", asked, mirrorA, source)
					got = append(got, took)
				}
				for range 5 {
					ask()
				}
				time.Sleep(15 * time.Second)
				for range 3 {
					ask()
				}
				short := 300 * ms
				want := []time.Duration{5 * time.Second, short, short, short, short, 5 * time.Second, short, short}
				if !slices.Equal(got, want) {
					t.Errorf("lookups took %v; want %v", got, want)
				}
				if s.concurrent.Load() {
					t.Error("the source was asked beside the mirror")
				}
				time.Sleep(time.Minute) // a probe is due, and finds it well
				s.become(map[string]endpoint{mirrorA: begins(2*time.Second, answers), source: answers})
				asked, _ := s.asks(t, req)
				wantList(t, "asked with a probe", asked, mirrorA)
				if !s.health.Healthy("a.example") {
					t.Errorf("hosts: %s", s.states())
				}
			})
		})
	}
}

// Who was not waited for is asked again where nobody else answers.
func TestUnhealthyMirrorIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, nil)
		for range 3 {
			s.asks(t, ofTag)
		}
		s.become(map[string]endpoint{mirrorA: begins(800*ms, answers), mirrorB: begins(900*ms, answers)})
		r := lookup(t, s, ofTag)
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())),
			mirrorA+": timeout", mirrorB+": timeout", source+": unreachable", mirrorA)
	})
}

// A panic while the host is probed does not keep others from probing it.
func TestPanicOfAProbeInItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{source: answers}, mirrorA)
		for range 3 {
			s.asks(t, ofDigest)
		}
		time.Sleep(15 * time.Second)
		s.become(map[string]endpoint{mirrorA: func(context.Context, provider.Request, int) error { panic("boom") }})
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			s.asks(t, ofDigest)
		}()
		if h := s.health.Hosts()[0]; h.Probing {
			t.Errorf("host: %+v", h)
		}
	})
}

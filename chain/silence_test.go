package chain_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// A caller with little time does not make a slow host count as failed. A host that is
// silent for long does, although the caller's deadline ended the attempt.
func TestSilenceAndDeadlines(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline time.Duration // for two mirrors and the source
		at       endpoint
		failed   bool
	}{
		"slow, with little time":  {time.Second, begins(400*ms, answers), false},
		"hangs, with little time": {time.Second, hangs, false},
		"hangs for a second":      {3 * time.Second, hangs, false},
		"hangs for long":          {6 * time.Second, hangs, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHosts(t, map[string]endpoint{mirrorA: tt.at, mirrorB: begins(20*ms, answers)})
				for range 3 {
					ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
					if _, err := s.Lookup(ctx, ofTag); err != nil {
						t.Errorf("Lookup: %v", err)
					}
					cancel()
				}
				if s.health.Healthy("a.example") == tt.failed {
					t.Errorf("hosts: %s; want it failed: %v", s.states(), tt.failed)
				}
			})
		})
	}
}

// busy keeps content on a disk that has its hands full.
type busy struct{ opener }

func (b *busy) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	if known == "" {
		return b.opener.Open(ctx, req, "")
	}
	_, _, err := b.open(ctx, req)
	return nil, err
}

func (b *busy) Restore(_ context.Context, req provider.Request, digest string, p provider.Platform) (*provider.Release, error) {
	time.Sleep(400 * ms)
	return provider.NewRelease(provider.ReleaseData{Image: req.Image, Version: "4.17.3", Digest: digest, Platform: p})
}

// The time before a mirror is asked is our own, and not its silence.
func TestOurOwnTimeIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &busy{opener{open: func(ctx context.Context, req provider.Request) (string, provider.Platform, error) {
			connects(ctx)
			if err := begins(50*ms, answers)(ctx, req, 0); err != nil {
				return "", provider.Platform{}, err
			}
			return digest, provider.Platform{}, nil
		}}}
		state := &memo{}
		var h *health.Health
		process := func() *chain.Chain {
			h = health.New(health.Config{})
			return newChain(t, base, newRules(t, mirrored(source, mirrorA, mirrorB)),
				chain.Mirrors(chain.MirrorsConfig{Health: h}), chain.Store(chain.StoreConfig{State: state}))
		}
		lookup(t, process(), ofDigest)
		for range 3 {
			time.Sleep(20 * time.Minute) // the grant expires, so that the mirror is asked
			lookup(t, process(), ofDigest)
			if !h.Healthy("a.example") {
				t.Errorf("hosts: %+v", h.Hosts())
			}
			for _, x := range h.Hosts() {
				if x.TypicalFirstByte > 50*ms {
					t.Errorf("%s takes %s to begin; want no more than 50 ms", x.Name, x.TypicalFirstByte)
				}
			}
		}
	})
}

package chain_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// fullState is a StateStore to which nothing can be added any more.
type fullState struct {
	memo
	full bool
}

func (f *fullState) Put(key string, value []byte) {
	if !f.full {
		f.memo.Put(key, value)
	}
}

// A denial holds for the processes to come, though nothing can be written any more.
func TestDeniedOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var outcome provider.Class
		base := &keeper{opener: opener{open: func(ctx context.Context, req provider.Request) (string, provider.Platform, error) {
			if outcome != provider.ClassUnknown {
				return "", provider.Platform{}, &provider.Error{Class: outcome, Ref: req.Image}
			}
			return byDigest(ctx, req)
		}}}
		state := &fullState{}
		next := func() *chain.Chain {
			return newChain(t, base, newRules(t), chain.Cache(chain.CacheConfig{State: state}),
				chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{State: state}))
		}
		for _, ref := range []provider.Request{{Image: tagged}, {Image: image}} {
			state.full, outcome = false, provider.ClassUnknown
			lookup(t, next(), ref)
			state.full = true
			time.Sleep(time.Hour)
			outcome = provider.ClassUnreachable
			if r := lookup(t, next(), ref); !r.Stale() {
				t.Error("not stale while nobody answers")
			}
			outcome = provider.ClassUnauthorized
			if _, err := next().Lookup(t.Context(), ref); err == nil {
				t.Error("denied, and served")
			}
			outcome = provider.ClassUnreachable
			time.Sleep(time.Hour)
			if r, err := next().Lookup(t.Context(), ref); err == nil {
				t.Errorf("served after the denial (stale: %v)", r.Stale())
			}
		}
	})
}

package chain_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// An endpoint that accepts a request and never answers it, and answers the next one, is
// asked again when the first caller's time is over, or the limit of an attempt: callers
// that come later do not wait for the request that hangs.
func TestHungRequestEndsWithItsCaller(t *testing.T) {
	for name, tt := range map[string]struct {
		deadline time.Duration // of the first caller; 0 for none
		within   time.Duration // the second caller has its answer
	}{
		"short":   {5 * time.Second, 61 * time.Second},
		"long":    {2 * time.Minute, 121 * time.Second},
		"without": {0, 61 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int64
				base := provider.ReleaseFunc(func(ctx context.Context, req provider.Request) (*provider.Release, error) {
					if asked.Add(1) == 1 {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return provider.NewRelease(provider.ReleaseData{Image: req.Image, Version: "4.17.3", Digest: digest})
				})
				c, err := chain.New(base, always(newRules(t)), chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
				if err != nil {
					t.Fatal(err)
				}
				req := provider.Request{Image: image}
				start := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				if tt.deadline > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), tt.deadline)
				}
				defer cancel()
				if _, err := c.Lookup(ctx, req); err == nil {
					t.Error("the first caller has an answer")
				}
				for ; ; time.Sleep(time.Second) {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					_, err := c.Lookup(ctx, req)
					cancel()
					if err == nil {
						break
					}
					if took := time.Since(start); took > 3*time.Minute {
						t.Fatalf("no answer after %s: %v", took, err)
					}
				}
				if took := time.Since(start); took > tt.within+20*time.Second { // denials are remembered for a while
					t.Errorf("an answer after %s, want it within %s or so", took, tt.within)
				}
			})
		})
	}
}

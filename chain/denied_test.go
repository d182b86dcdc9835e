package chain_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// A denial ends the old answer for good: whether it can be remembered itself or not,
// and whoever drew it. An outage afterwards is answered with nothing.
func TestCacheDeniedStaysDenied(t *testing.T) {
	for _, denial := range []provider.Class{provider.ClassUnauthorized, provider.ClassNotFound} {
		for _, other := range []provider.Class{provider.ClassUnauthorized, provider.ClassUnreachable, provider.ClassUnknown, provider.ClassDigest} {
			for _, ttl := range []time.Duration{0, -1} {
				for _, cutShort := range []bool{false, true} {
					name := fmt.Sprintf("%s beside %s, remembered %d, cutShort %v", denial, other, ttl, cutShort)
					t.Run(name, func(t *testing.T) { deniedThenAway(t, denial, other, ttl, cutShort) })
				}
			}
		}
	}
}

func deniedThenAway(t *testing.T, denial, other provider.Class, ttl time.Duration, cutShort bool) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: answers})
		c := cacheOver(t, base, chain.CacheConfig{NegativeTTL: ttl}, mirrored(source, mirrorA, mirrorB))
		req := provider.Request{Image: tagged}
		lookup(t, c, req)
		time.Sleep(time.Minute)
		third := fails(other)
		ctx := t.Context()
		if cutShort {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			third = hangs
		}
		base.become(map[string]endpoint{mirrorA: third, mirrorB: fails(other), source: fails(denial)})
		if r, err := c.Lookup(ctx, req); err == nil {
			t.Fatalf("denied, and served (stale: %v)", r.Stale())
		}
		base.become(nil)
		for _, later := range []time.Duration{0, time.Second, time.Hour} {
			time.Sleep(later)
			if r, err := c.Lookup(t.Context(), req); err == nil {
				t.Errorf("%s after the denial, nobody answers: served (stale: %v)", later, r.Stale())
			}
		}
		base.become(map[string]endpoint{mirrorA: answers})
		time.Sleep(time.Hour)
		if r := lookup(t, c, req); r.Stale() {
			t.Error("granted again, and stale")
		}
	})
}

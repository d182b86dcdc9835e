package env_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

func TestConformance(t *testing.T) {
	for name, wrap := range map[string]func(policy.OverrideSource) policy.OverrideSource{
		"plain":  func(src policy.OverrideSource) policy.OverrideSource { return src },
		"polled": func(src policy.OverrideSource) policy.OverrideSource { return sources.Poll(src, time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
				var value atomic.Value
				value.Store("=,b=m,a=n,b=o,broken")
				registry, err := sources.NewSchemes(env.Factory(func(string) (string, bool) { return value.Load().(string), true }))
				if err != nil {
					t.Fatal(err)
				}
				src, err := registry.Open(t.Context(), "env:"+handover.ImageOverridesVariable)
				if err != nil {
					t.Fatal(err)
				}
				return sourcetest.Fixture{
					Source: wrap(src),
					Change: func(*testing.T) { value.Store("c=d") },
					Break:  func(*testing.T) { value.Store(`{"kind": "a document that is none"}`) }, // pairs are never wrong
				}
			})
		})
	}
}

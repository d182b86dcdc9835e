package chain_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// asInsecure is a wrapper of a base that changes requests and forwards the rest.
type asInsecure struct{ provider.Forward }

func (a asInsecure) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	req.Insecure = true
	return a.Forward.Lookup(ctx, req)
}

func (a asInsecure) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	req.Insecure = true
	return a.Forward.Open(ctx, req, known)
}

// New fails where a wrapper hides what a layer needs, and says what and where. A
// wrapper that forwards costs no request more.
func TestCapabilities(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	img := testpayload.Must(testpayload.Release{Components: 4, Manifests: 4, BaseLayers: []int64{10}}.Image())
	reg.Push("ocp/release", "v", img)
	tag, byDigest := reg.ByTag("ocp/release", "v"), reg.ByDigest("ocp/release", img.Digest)
	base := trusting(t, reg)
	hides := provider.ReleaseFunc(base.Lookup)
	hidden := chain.Layer{Name: "custom", Wrap: func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
		return provider.ReleaseFunc(next.Lookup), nil
	}}
	store, cache := chain.Store(chain.StoreConfig{}), chain.Cache(chain.CacheConfig{State: &memo{}})
	for name, tt := range map[string]struct {
		base   provider.ReleaseProvider
		layers []chain.Layer
		want   []string // in the error; none if it works
	}{
		"plain":                    {base, []chain.Layer{store}, nil},
		"forwarding":               {asInsecure{provider.Forward{Next: base}}, []chain.Layer{cache, store}, nil},
		"hidden":                   {hides, []chain.Layer{store}, []string{`"store"`, "provider.Opener", "provider.ReleaseFunc"}},
		"hidden behind forwarding": {provider.Forward{Next: hides}, []chain.Layer{store}, []string{`"store"`, "provider.Opener", "provider.ReleaseFunc"}},
		"state, hidden":            {base, []chain.Layer{cache, hidden, chain.Mirrors(chain.MirrorsConfig{})}, []string{`"cache"`, "provider.Restorer", "provider.ReleaseFunc"}},
		"state, hidden below":      {hides, []chain.Layer{cache, chain.Mirrors(chain.MirrorsConfig{})}, []string{`"cache"`, "provider.Restorer", "provider.ReleaseFunc"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := chain.New(tt.base, always(newRules(t)), tt.layers...)
			if tt.want == nil && err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("New: %v; want an error with %q", err, want)
				}
			}
			if err != nil {
				return
			}
			reg.ResetLog()
			for range 2 {
				lookup(t, c, provider.Request{Image: tag})
				lookup(t, c, provider.Request{Image: byDigest})
			}
			if n := reg.Count(); n > 6 {
				t.Errorf("%d requests for two lookups by tag and two by digest; want no more than 6", n)
			}
		})
	}
}

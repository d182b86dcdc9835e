package chain_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Every layer alone, and all of them together, are providers like any other.
func TestConformance(t *testing.T) {
	all := map[string][]chain.Layer{
		"observe":    {chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&events{}}})},
		"translate":  {chain.Translate(chain.TranslateConfig{Live: true})},
		"components": {chain.Components(chain.ComponentsConfig{Images: map[string]imageref.Ref{}})},
		"cache":      {chain.Cache(chain.CacheConfig{})},
		"mirrors":    {chain.Mirrors(chain.MirrorsConfig{Retries: -1})},
		"store":      {chain.Store(chain.StoreConfig{})},
		"verify":     {verifying(&fakeVerifier{id: "all"}), chain.Mirrors(chain.MirrorsConfig{Retries: -1})},
		"full": {
			chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&events{}}}),
			chain.Translate(chain.TranslateConfig{Live: true}), chain.Components(chain.ComponentsConfig{}), verifying(&fakeVerifier{id: "all"}),
			chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{Retries: -1}), chain.Store(chain.StoreConfig{}),
		},
	}
	for name, layers := range all {
		t.Run(name, func(t *testing.T) {
			providertest.TestReleaseProvider(t, providertest.Harness{
				New: func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
					return newChain(t, trusting(t, reg), newRules(t), layers...)
				},
			})
		})
	}
}

func TestImagesConformance(t *testing.T) {
	providertest.TestImageProvider(t, providertest.ImageHarness{
		New: func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider {
			return images(t, trusting(t, reg))
		},
	})
}

func TestVerifiedImagesConformance(t *testing.T) {
	providertest.TestImageProvider(t, providertest.ImageHarness{
		New: func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider {
			p, err := chain.VerifyImages(images(t, trusting(t, reg)), func() provider.Verifier { return &fakeVerifier{id: "all"} })
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
	})
}

func images(t *testing.T, base provider.ImageProvider) provider.ImageProvider {
	t.Helper()
	p, err := chain.Images(base, always(newRules(t)), chain.MirrorsConfig{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func trusting(t *testing.T, reg *testregistry.Registry) *registry.Provider {
	t.Helper()
	p, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func conformance(t *testing.T, make func(*testing.T, *testregistry.Registry) provider.ReleaseProvider) {
	t.Helper()
	providertest.TestReleaseProvider(t, providertest.Harness{New: make})
}

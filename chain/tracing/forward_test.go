package tracing_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/tracing"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// restorer is a base whose Restore can be told from any other.
type restorer struct{ plain }

func (r restorer) Restore(context.Context, provider.Request, string, provider.Platform) (*provider.Release, error) {
	return nil, errRestored
}

var errRestored = errors.New("restored by the base")

// Every layer of the project that may stand below Cache hands the optional capability
// of what is below it on: else Cache has its notes in vain. Those of this package do
// wherever they stand.
func TestLayersForward(t *testing.T) {
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	tr := tracing.New(noop.NewTracerProvider())
	var checked []string
	for _, l := range []chain.Layer{
		chain.Observe(chain.ObserveConfig{}), chain.Translate(chain.TranslateConfig{}), chain.Components(chain.ComponentsConfig{}),
		chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{}), tr.Lookups(), tr.Attempts(),
	} {
		_, err := chain.New(restorer{}, func() *policy.Rules { return rules }, chain.Cache(chain.CacheConfig{}), l)
		if err != nil && l.Name != "trace" {
			continue // it must not stand below Cache
		}
		checked = append(checked, l.Name)
		wrapped, err := l.Wrap(restorer{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := provider.As[provider.Restorer](wrapped)
		if err != nil {
			t.Errorf("%s does not forward Restorer: %v", l.Name, err)
			continue
		}
		req := provider.Request{Image: imageref.MustParse("quay.io/a/b:c"), Rules: rules}
		if _, err := r.Restore(t.Context(), req, "sha256:aa", provider.Platform{}); !errors.Is(err, errRestored) {
			t.Errorf("%s: Restore: %v; want that of the base", l.Name, err)
		}
	}
	for _, name := range []string{"mirrors", "store", "trace", "trace-attempts"} {
		if !slices.Contains(checked, name) {
			t.Errorf("%s was not checked; only %q", name, checked)
		}
	}
}

// The chain of the package's documentation, with a disk: the next process serves from
// it while nobody answers.
func TestTracedChainRestores(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	reg.Push("mirror/release", "v", testpayload.Must(testpayload.Release{Components: 4, Manifests: 4, BaseLayers: []int64{10}}.Image()))
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	disk, err := diskcache.Open(diskcache.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	tr := tracing.New(noop.NewTracerProvider())
	process := func() (*provider.Release, error) {
		base, err := registry.New(registry.Config{RootCAs: reg.CA().Pool(), Blobs: disk})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = base.Close() })
		c, err := chain.New(tr.Fetches(base), func() *policy.Rules { return rules },
			tr.Lookups(), chain.Cache(chain.CacheConfig{Carry: tr.Carry, State: disk.State()}), chain.Mirrors(chain.MirrorsConfig{Retries: -1}),
			tr.Attempts(), chain.Store(chain.StoreConfig{Carry: tr.Carry, State: disk.State()}))
		if err != nil {
			t.Fatal(err)
		}
		return c.Lookup(t.Context(), provider.Request{Image: imageref.MustParse(reg.Host() + "/mirror/release:v")})
	}
	first, err := process()
	if err != nil {
		t.Fatal(err)
	}
	reg.Down()
	r, err := process()
	if err != nil || !r.Stale() || r.Digest() != first.Digest() {
		t.Errorf("%v, %v; want the release of the process before, stale", r, err)
	}
}

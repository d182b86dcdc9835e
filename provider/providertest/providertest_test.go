package providertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func open(t *testing.T, reg *testregistry.Registry, change ...func(*registry.Config)) *registry.Provider {
	t.Helper()
	cfg := registry.Config{RootCAs: reg.CA().Pool()}
	for _, c := range change {
		c(&cfg)
	}
	p, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestRegistry(t *testing.T) {
	providertest.TestReleaseProvider(t, providertest.Harness{New: func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
		return open(t, reg)
	}})
}

func TestRegistryImages(t *testing.T) {
	providertest.TestImageProvider(t, providertest.ImageHarness{New: func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider {
		return open(t, reg)
	}})
}

func TestFakes(t *testing.T) {
	image := imageref.MustParse("example.com/release:1")
	rec := &providertest.Recorder{Next: providertest.Always(providertest.Release(func(d *provider.ReleaseData) { d.Version = "5.0.0" }))}
	r, err := rec.Lookup(t.Context(), provider.Request{Image: image})
	if err != nil || r.Version() != "5.0.0" || r.Image() != image || r.PulledFrom() != image || r.Digest() != providertest.Digest {
		t.Errorf("got %v, %v", r, err)
	}
	if _, ok := r.Component("machine-config-operator"); !ok {
		t.Error("no machine-config-operator")
	}
	if reqs := rec.Requests(); len(reqs) != 1 || reqs[0].Image != image {
		t.Errorf("recorded %v", reqs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rec.Lookup(ctx, provider.Request{Image: image}); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	rec.Next = providertest.Fails(provider.ErrNotFound)
	if _, err := rec.Lookup(t.Context(), provider.Request{}); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

package chain_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

const repo = "ocp/release"

// site is a source and a mirror of it, and a provider that trusts both.
type site struct {
	source, mirror *testregistry.Registry
	registry       *registry.Provider
	rules          *policy.Rules
	image          testpayload.Image
	digest, tag    imageref.Ref // at the source
}

// smallRelease returns a release whose layers are small; n tells several apart.
func smallRelease(n int) testpayload.Image {
	return testpayload.Must(testpayload.Release{
		Version: fmt.Sprintf("4.17.%d", n), Components: 5, Manifests: 5, BaseLayers: []int64{1000},
	}.Image())
}

func newSite(t testing.TB, img testpayload.Image, change ...func(*testregistry.Config, *policy.Rule)) *site {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cfg, rule := testregistry.Config{CA: ca}, mirrored("")
	for _, c := range change {
		c(&cfg, &rule)
	}
	start := func() *testregistry.Registry {
		r, err := testregistry.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		r.Push(repo, "4.17.3", img)
		return r
	}
	s := &site{source: start(), mirror: start(), image: img}
	s.digest, s.tag = s.source.ByDigest(repo, img.Digest), s.source.ByTag(repo, "4.17.3")
	rule.Source = s.source.Host() + "/" + repo
	rule.Mirrors = []policy.Mirror{{Location: s.mirror.Host() + "/" + repo}}
	s.rules = newRules(t, rule)
	s.registry = s.provider(t, registry.Timeouts{Connect: time.Minute, FirstByte: time.Minute, Silence: time.Minute})
	return s
}

// provider trusts the site, and waits as long as limits say.
func (s *site) provider(t testing.TB, limits registry.Timeouts) *registry.Provider {
	t.Helper()
	p, err := registry.New(registry.Config{RootCAs: s.mirror.CA().Pool(), Timeouts: limits, Dial: dialer(t)})
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

// timeoutsFor returns the limits with which an endpoint is found to fail with class, and
// with no other.
func timeoutsFor(class provider.Class) registry.Timeouts {
	if class == provider.ClassTimeout {
		return shortTimeouts
	}
	return longTimeouts
}

// dialer knows no names: what is not on loopback does not resolve.
func dialer(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	var d net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			t.Error(err)
		}
		if net.ParseIP(host) == nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
		}
		return d.DialContext(ctx, network, addr)
	}
}

// noHedges is for tests that say which of several live registries answers: none is slow, only
// the machine may be.
var noHedges = chain.MirrorsConfig{HedgeUnknown: time.Hour, HedgeKnown: time.Hour}

func (s *site) chain(t testing.TB, rules *policy.Rules) *chain.Chain {
	t.Helper()
	return fullChain(t, s.registry, always(rules))
}

func (s *site) request(ref imageref.Ref) provider.Request {
	return provider.Request{Image: ref, Platform: linux}
}

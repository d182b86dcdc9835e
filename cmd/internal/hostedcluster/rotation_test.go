package hostedcluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// A mounted bundle that changes while the operator runs is followed by the chain that
// all HostedClusters share and by those with a bundle of their own, which keep that.
func TestMountedBundleIsFollowed(t *testing.T) {
	newCA := func() *testregistry.CA {
		ca, err := testregistry.NewCA()
		if err != nil {
			t.Fatal(err)
		}
		return ca
	}
	first, second, own := newCA(), newCA(), newCA()
	mounted := filepath.Join(t.TempDir(), "bundle.pem")
	cfg := registry.Config{TLS: trust.Registries([]string{mounted}, nil, nil)}
	l, err := NewLookups(cfg, func() *policy.Rules { return nil }, assembly.Deps{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	bundle, err := trust.ParseBundle(own.PEM())
	if err != nil {
		t.Fatal(err)
	}
	with := trusting(l.cfg, func() trust.Bundle { return bundle })
	trusts := func(cfg registry.Config, ca *testregistry.CA) bool {
		t.Helper()
		got, err := cfg.TLS("mirror.example.com:5000")
		if err != nil {
			t.Fatal(err)
		}
		pool := got.RootCAs
		if pool == nil {
			if pool = cfg.RootCAs; pool == nil {
				return false // the system's
			}
		}
		more := pool.Clone()
		more.AppendCertsFromPEM(ca.PEM())
		return more.Equal(pool)
	}
	for _, now := range []*testregistry.CA{nil, first, second} {
		if now != nil {
			if err := os.WriteFile(mounted, now.PEM(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, ca := range []*testregistry.CA{first, second} {
			if got, want := trusts(cfg, ca), ca == now; got != want {
				t.Errorf("trusted is %t, want %t", got, want)
			}
			if got, want := trusts(with, ca), ca == now; got != want {
				t.Errorf("with a bundle of its own trusted is %t, want %t", got, want)
			}
		}
		if !trusts(with, own) {
			t.Error("the bundle of a HostedCluster is not trusted")
		}
		if trusts(cfg, own) {
			t.Error("the bundle of a HostedCluster is trusted for all")
		}
	}
}

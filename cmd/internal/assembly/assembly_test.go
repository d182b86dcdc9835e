package assembly

import (
	"context"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/sources"
)

type base struct{ providertest.Base }

func (base) Name() string { return "registry" }

type nothing struct{}

func (nothing) Get(string) ([]byte, bool) { return nil, false }
func (nothing) Put(string, []byte)        {}
func (nothing) Delete(string)             {}

func unread() provider.Verifier { return nil }

// pullsThroughMirrors reports whether layers say of each component which endpoints this
// process itself is to pull it from (D27: a binary without never uses a mirror).
func pullsThroughMirrors(t *testing.T, layers []chain.Layer) bool {
	t.Helper()
	component := imageref.MustParse("quay.io/x/y@sha256:" + strings.Repeat("1", 64))
	image := imageref.MustParse("quay.io/r/r@sha256:" + strings.Repeat("2", 64))
	one := base{providertest.Base{ReleaseProvider: provider.ReleaseFunc(func(context.Context, provider.Request) (*provider.Release, error) {
		return provider.NewRelease(provider.ReleaseData{
			Image: image, Digest: image.Digest(), Version: "4.17.3",
			Components: []provider.Component{{Name: "etcd", Canonical: component, Image: component}},
		})
	})}}
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{
		{Source: "quay.io/x", Pull: policy.PullAny, Origin: "test", Mirrors: []policy.Mirror{{Location: "mirror.example.com/x"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := chain.New(one, func() *policy.Rules { return rules }, layers...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ch.Lookup(t.Context(), provider.Request{Image: image})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := r.Component("etcd")
	return len(c.PullFrom) > 0 && c.PullFrom[0].Registry() == "mirror.example.com"
}

// What each binary is made of, spelt out: a change of the table is a change of
// what the binary does, and shows here.
func TestRows(t *testing.T) {
	for name, c := range map[string]struct {
		row                     Row
		sources, reads, layered string
	}{
		"mirrorchain": {
			Mirrorchain(Deps{}), "env file icsp idms imageconfig itms", "",
			"observe > translate > mirrors > registry",
		},
		"mirrorchain with --cache-dir": {
			Mirrorchain(Deps{State: nothing{}}), "env file icsp idms imageconfig itms", "",
			"observe > translate > cache > mirrors > store > registry",
		},
		"hypershift-operator": {
			HypershiftOperator(Deps{}), "icsp idms imageconfig itms", "icsp: idms: itms: imageconfig:",
			"observe > translate > cache > mirrors > store > registry",
		},
		"ignition-server": {
			IgnitionServer(Deps{}), "env file", "",
			"observe > translate > cache > mirrors > store > registry",
		},
		"hypershift-operator that verifies": {
			HypershiftOperator(Deps{Verify: unread}), "icsp idms imageconfig itms", "icsp: idms: itms: imageconfig:",
			"observe > translate > verify > cache > mirrors > store > registry",
		},
		"ignition-server that verifies": {
			IgnitionServer(Deps{Verify: unread}), "env file", "",
			"observe > translate > verify > cache > mirrors > store > registry",
		},
	} {
		t.Run(name, func(t *testing.T) {
			reg, err := sources.NewSchemes(c.row.Sources...)
			if err != nil {
				t.Fatal(err)
			}
			var schemes []string
			for _, f := range reg.Factories() {
				schemes = append(schemes, f.Scheme)
			}
			if got := strings.Join(schemes, " "); got != c.sources {
				t.Errorf("sources %q, want %q", got, c.sources)
			}
			if got := strings.Join(c.row.Reads, " "); got != c.reads {
				t.Errorf("reads %q, want %q", got, c.reads)
			}
			nobody := base{providertest.Base{ReleaseProvider: providertest.Fails(provider.ErrNotFound)}}
			ch, err := chain.New(nobody, func() *policy.Rules { return nil }, c.row.Layers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := ch.String(); got != c.layered {
				t.Errorf("chain %q, want %q", got, c.layered)
			}
			if strings.HasSuffix(name, "that verifies") {
				return // nothing is looked up without a verifier
			}
			if got, want := pullsThroughMirrors(t, c.row.Layers), name == "ignition-server"; got != want {
				t.Errorf("components tell where they are pulled from: %t, want %t", got, want)
			}
		})
	}
}

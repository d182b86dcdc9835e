package hostedcontrolplane_test

import (
	"errors"
	"slices"
	"testing"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// OCPBUGS-32257, 33627, 35549: both providers pull through the mirrors, and their
// results differ by --registry-overrides and nothing else. D15: rewritten once.
func TestOCPBUGS32257And33627And35549UserAndControlPlane(t *testing.T) {
	mirrors, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer mirrors.Close()
	base, err := registry.New(registry.Config{RootCAs: mirrors.CA().Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	digest := mirrors.Push("m/release", "", testpayload.Must(testpayload.Release{Components: 30, Manifests: -1, BaseLayers: []int64{}}.Image()))
	image := "source.example.com/ocp/release@" + digest

	own, override := imageref.MustParse(operatorImage), imageref.MustParse("quay.io/openshift-release-dev/special:1")
	rules := mustRules(t, append(
		overrides(t, "quay.io/openshift-release-dev=quay.io/openshift-release-dev/again,registry.example.com=cache.example.com,="),
		never(mirror(policy.PullDigest, "source.example.com/ocp", mirrors.Host()+"/m")),
	)...)
	row := assembly.ControlPlaneOperator(assembly.Deps{}, hcpkg.OperatorImages{Operator: own}.Components(map[string]imageref.Ref{"etcd": override}))
	providers, err := hcpkg.NewProviders(base, func() *policy.Rules { return rules }, row.Layers, row.Rewrite)
	if err != nil {
		t.Fatal(err)
	}
	both, err := providers.Lookup(t.Context(), rules, provider.Credentials{}, provider.MirrorCredentials{}, image, image)
	if err != nil {
		t.Fatal(err)
	}

	cp, user := slices.Collect(both.ControlPlane.Components()), slices.Collect(both.User.Components())
	if len(cp) != len(user) || len(cp) != 30+6 {
		t.Fatalf("%d and %d components", len(cp), len(user))
	}
	rewritten := 0
	for i := range cp {
		if user[i].Image != user[i].Canonical || len(user[i].PullFrom) != 0 {
			t.Errorf("the user's %s is %s, want %s as the release has it", user[i].Name, user[i].Image, user[i].Canonical)
		}
		if want := rules.Rewrite(user[i].Image); cp[i].Image != want || cp[i].Canonical != user[i].Canonical || cp[i].Name != user[i].Name {
			t.Errorf("the control plane's %s is %s, want %s", cp[i].Name, cp[i].Image, want)
		}
		if cp[i].Image != user[i].Image {
			rewritten++
		}
	}
	if rewritten != len(cp) {
		t.Errorf("%d of %d components were rewritten", rewritten, len(cp))
	}
	for name, want := range map[string]string{
		"etcd": "quay.io/openshift-release-dev/again/special:1", hcpkg.ComponentOperator: "cache.example.com/hypershift/cpo:1",
	} {
		if c, _ := both.ControlPlane.Component(name); c.Image.String() != want {
			t.Errorf("%s is %s, want %s", name, c.Image, want)
		}
	}
	if both.User.Digest() != both.ControlPlane.Digest() || both.User.Version() != both.ControlPlane.Version() {
		t.Error("the two are not the same release")
	}
	if n := mirrors.Count(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Match{Kind: testregistry.Blob}); n != 2 {
		t.Errorf("%d requests for both, want those of one", n)
	}

	_, err = providers.Lookup(t.Context(), rules, provider.Credentials{}, provider.MirrorCredentials{}, "no reference at all", image)
	if !errors.Is(err, provider.ErrInvalidRequest) && provider.ClassOf(err) != provider.ClassInvalid {
		t.Errorf("got %v, want that the name is wrong", err)
	}
}

package knownissues

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// candidates returns where an image is pulled from by rules, in order.
func candidates(t *testing.T, rules *policy.Rules, image string) string {
	t.Helper()
	list, err := rules.Candidates(imageref.MustParse(image))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		out = append(out, c.Ref.Name())
	}
	return strings.Join(out, " ")
}

// OCPBUGS-33951, 54483, 55693, 57122 and D12. A source that is a whole registry was
// not applied, or its port was taken for a tag. Here it is, with and without a port,
// to mirrors with and without a path, by lookups that only the mirror can answer.
func TestOCPBUGS33951WholeRegistriesAsSource(t *testing.T) {
	w := newWorld(t)
	payload := testpayload.Must(release(5).Image())
	mirror := w.serve(t, "mirror.example.com:5000", testregistry.Auth{})
	digest := mirror.Push("openshift-release-dev/ocp-release", "", payload)
	mirror.Push("all/of/it/openshift-release-dev/ocp-release", "", payload)
	for _, registry := range []string{"quay.io", "reg.example.com:5000", "localhost", "192.0.2.1:5000"} {
		for _, to := range []string{"mirror.example.com:5000", "mirror.example.com:5000/all/of/it"} {
			t.Run(registry+" to "+strings.ReplaceAll(to, "/", "-"), func(t *testing.T) {
				rule := mirrored(registry, to)
				rule.NeverContactSource = true
				for binary, chain := range binaries(t, w.registry, newRules(t, rule)) {
					r := mustLookup(t, chain, byDigest(registry+"/openshift-release-dev/ocp-release", digest))
					if got, want := r.PulledFrom().String(), to+"/openshift-release-dev/ocp-release@"+digest; got != want {
						t.Errorf("%s: from %s, want %s", binary, got, want)
					}
				}
				if n := w.dials(registry); n != 0 {
					t.Errorf("%d connections to %s", n, registry)
				}
			})
		}
	}
}

// OCPBUGS-85585, 92034 and D1, D2. Sources were found anywhere in a reference, and of
// several any one was taken. Here a source is a host and whole components of the
// path, and the most specific one wins, in the two kinds of rules alike. They differ
// in one row: policies for a host hold for its ports, as on nodes; overrides do not.
func TestOCPBUGS85585And92034Boundaries(t *testing.T) {
	const noAddress = "an error, and nothing is contacted"
	for _, c := range []struct{ source, image, mirror, rewrite string }{
		{"quay.io", "quay.io/a/b", "to.example.com/x/a/b", "to.example.com/x/a/b"},
		{"quay.io", "quay.io.example.com/a/b", "", ""},
		{"quay.io", "quay.io-evil/a/b", "", ""},
		{"quay.io", "m.example.com/quay.io/a", "", ""},
		{"quay.io", "my-quay.io/a", "", ""},
		{"quay.io", "quay.io:443/a", noAddress, ""}, // a mirror with a path cannot take the port along
		{"quay.io/ocp", "quay.io/ocp/release", "to.example.com/x/release", "to.example.com/x/release"},
		{"quay.io/ocp", "quay.io/ocp", "to.example.com/x", "to.example.com/x"},
		{"quay.io/ocp", "quay.io/ocp-extra/release", "", ""},
		{"quay.io/ocp", "quay.io/other/quay.io/ocp", "", ""},
		{"quay.io/ocp", "other.io/ocp/release", "", ""},
		{"reg.io:5000/ocp", "reg.io/ocp", "", ""},
	} {
		for _, suffix := range []string{":tag", "@sha256:" + strings.Repeat("a", 64)} {
			image := imageref.MustParse(c.image + suffix)
			want := c.image
			if c.rewrite != "" {
				want = c.rewrite
			}
			if got := newRules(t, override(c.source, "to.example.com/x")).Rewrite(image); got.String() != want+suffix {
				t.Errorf("override of %s: %s becomes %s, want %s", c.source, image, got, want+suffix)
			}
			rule := mirrored(c.source, "to.example.com/x")
			rule.Pull = policy.PullAny
			list, err := newRules(t, rule).Candidates(image)
			if c.mirror == noAddress {
				if err == nil {
					t.Errorf("%s has candidates %v, want that it has none", image, list)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, candidate := range list {
				got = append(got, candidate.Ref.String())
			}
			wants := c.image + suffix
			if c.mirror != "" {
				wants = c.mirror + suffix + " " + wants
			}
			if strings.Join(got, " ") != wants {
				t.Errorf("mirror of %s: %s has candidates %s, want %s", c.source, image, got, wants)
			}
		}
	}

	digest := "@sha256:" + strings.Repeat("a", 64)
	for range 100 { // D2: an order that a map gave would show
		rules := newRules(t,
			mirrored("quay.io", "broad.example.com"), mirrored("quay.io/ocp", "narrow.example.com/m"), mirrored("quay.io/ocp/release/deep", "deep.example.com"),
			override("reg.example.com", "o.example.com"), override("reg.example.com/ocp", "p.example.com/n"))
		if got, want := candidates(t, rules, "quay.io/ocp/release"+digest), "narrow.example.com/m/release quay.io/ocp/release"; got != want {
			t.Fatalf("candidates %s, want %s", got, want)
		}
		if got, want := rules.Rewrite(imageref.MustParse("reg.example.com/ocp/a:1")).String(), "p.example.com/n/a:1"; got != want {
			t.Fatalf("rewritten to %s, want %s", got, want)
		}
	}
}

// D9, D10, D11, D13. A namespace matched on any host, the mirror's own namespace was
// dropped, sources of four parts did nothing.
func TestD9AnyNumberOfComponents(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	path := ""
	for i := range 8 {
		for _, mirror := range []string{"m.example.com", "m.example.com:5000/own", "m.example.com/own/name/space"} {
			rules := newRules(t, mirrored("quay.io"+path, mirror))
			image := "quay.io" + path + "/and/more"
			if got, want := candidates(t, rules, image+digest), mirror+"/and/more "+image; got != want {
				t.Errorf("candidates %s, want %s", got, want)
			}
			other := "other.io" + path + "/and/more"
			if got := candidates(t, rules, other+digest); got != other {
				t.Errorf("a source on quay.io matches %s: %s", other, got)
			}
		}
		path += fmt.Sprintf("/part%d", i)
	}
}

// D8. Wildcard sources did nothing: they were handed on and compared as they are.
func TestD8Wildcards(t *testing.T) {
	w := newWorld(t)
	digest := w.serve(t, "mirror.example.com", testregistry.Auth{}).Push("redhat/ocp/release", "", testpayload.Must(release(5).Image()))
	rules := newRules(t, mirrored("*.redhat.io", "mirror.example.com/redhat"))
	bundle, err := handover.NewBundle(rules)
	if err != nil {
		t.Fatal(err)
	}
	received := decode(t, bundle)
	for name, rules := range map[string]*policy.Rules{"read": rules, "handed on": newRules(t, received.Rules...)} {
		for binary, chain := range binaries(t, w.registry, rules) {
			r := mustLookup(t, chain, byDigest("registry.redhat.io/ocp/release", digest))
			if got, want := r.PulledFrom().Name(), "mirror.example.com/redhat/ocp/release"; got != want {
				t.Errorf("%s, %s: from %s, want %s", name, binary, got, want)
			}
		}
	}
	if got := candidates(t, rules, "redhat.io/ocp/release@"+digest); got != "redhat.io/ocp/release" {
		t.Errorf("the domain itself: %s", got)
	}
}

// decode returns what a receiver of the ConfigMap reads.
func decode(t *testing.T, b handover.Bundle) policy.Policy {
	t.Helper()
	data, err := b.ConfigMapData()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := handover.Decode("", []byte(data[handover.Key]))
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// OCPBUGS-57957. A limit of 25 mirrors was too small. Here 500 sources with five
// mirrors each are rules like others; what does not fit into an environment is an
// error that says so, and fits into the ConfigMap.
func TestOCPBUGS57957FiveHundredSources(t *testing.T) {
	var all []policy.Rule
	for i := range 500 {
		repository := fmt.Sprintf("organisation-%03d/some-repository", i)
		var mirrors []string
		for j := range 5 {
			mirrors = append(mirrors, fmt.Sprintf("mirror-%d.registry.example.com:5000/%s", j, repository))
		}
		all = append(all, mirrored("registry.redhat.io/"+repository, mirrors...))
	}
	rules := newRules(t, all...)
	image := "registry.redhat.io/organisation-499/some-repository@sha256:" + strings.Repeat("a", 64)
	want := candidates(t, rules, image)
	if n := len(strings.Fields(want)); n != 6 {
		t.Fatalf("%d candidates, want five mirrors and the source", n)
	}
	bundle, err := handover.NewBundle(rules)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Env(); err == nil {
		t.Error("it fits into an environment, and shows nothing")
	} else if _, ok := errors.AsType[*handover.TooLargeError](err); !ok {
		t.Errorf("got %v, want that it is too large", err)
	}
	received, err := policy.NewRules(policy.RulesConfig{}, decode(t, bundle))
	if err != nil {
		t.Fatal(err)
	}
	if got := candidates(t, received, image); got != want || received.Version() != rules.Version() {
		t.Errorf("received candidates %s, want %s", got, want)
	}
}

// OCPBUGS-29408. The KubeVirt boot image of a release is no component, so that no
// tool mirrored it. Here it is listed, by digest, from the release as the mirror has
// it.
func TestOCPBUGS29408KubeVirtImageIsListed(t *testing.T) {
	w := newWorld(t)
	r := release(5)
	r.BootImages = testpayload.MultiStream
	digest := w.serve(t, "mirror.example.com", testregistry.Auth{}).Push("ocp", "", testpayload.Must(r.Image()))
	got := mustLookup(t, operatorChain(t, w.registry, newRules(t, mirrored(source, "mirror.example.com/ocp"))), byDigest(source, digest))
	boot, err := bootimages.Parse(got.BootImages())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, image := range boot.KubeVirtImages() {
		if image.Ref.Digest() == "" {
			t.Errorf("%s is listed without a digest", image.Ref)
		}
		listed[image.Ref.String()] = true
	}
	names := append([]string{""}, boot.Names()...)
	for _, name := range names {
		if want := r.KubeVirtDigestRef(name); !listed[want] {
			t.Errorf("%s of stream %q is not listed: %v", want, name, listed)
		}
	}
	for c := range got.Components() {
		if listed[c.Canonical.String()] {
			t.Errorf("%s is component %s, and this test shows nothing", c.Canonical, c.Name)
		}
	}
}

package node_test

import (
	"errors"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// What policy.json rejects. The module test/peers asks nodes' own code the same.
func TestAdmission(t *testing.T) {
	const release, component = "quay.io/openshift-release-dev/ocp-release:4.22.3", "quay.io/openshift-release-dev/ocp-v4.0-art-dev:etcd"
	own, _ := sigstore.OpenShift(22)
	policies, err := sigstore.NewPolicies(own)
	if err != nil {
		t.Fatal(err)
	}
	scopes := func(names ...string) (out []policy.Scope) {
		for _, n := range names {
			out = append(out, policy.Scope{Name: n, Origin: "image/cluster"})
		}
		return out
	}
	runs := []policy.Payload{{Image: imageref.MustParse(release)}}
	mirrored := []policy.Rule{{Source: "quay.io/openshift-release-dev", Mirrors: []policy.Mirror{{Location: "m.corp/ocp"}}}}
	for _, c := range []struct {
		name     string
		stated   policy.Policy
		policies sigstore.Policies
		image    string
		rejected bool
		judged   bool
	}{
		{"nothing is stated", policy.Policy{}, sigstore.Policies{}, component, false, false},
		{"a component in a blocked registry", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io"), Payloads: runs}, sigstore.Policies{}, component, true, true},
		{"the release that runs", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io"), Payloads: runs}, sigstore.Policies{}, release, false, false},
		{"blocked by its own name", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io/openshift-release-dev/ocp-release"), Payloads: runs}, sigstore.Policies{}, release, false, false},
		{"nothing but the release is blocked, by its own name: nothing else runs", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io/openshift-release-dev/ocp-release"), Payloads: runs}, sigstore.Policies{}, component, true, true},
		{"more than its own name", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io/openshift-release-dev/ocp-release", "bad.corp"), Payloads: runs}, sigstore.Policies{}, component, false, false},
		{"another release runs", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io"), Payloads: []policy.Payload{{Image: imageref.MustParse("other.corp/release:1")}}}, sigstore.Policies{}, release, true, true},
		{"nobody says what runs", policy.Policy{Rules: mirrored, Blocked: scopes("quay.io")}, sigstore.Policies{}, release, false, false},
		{"an image policy is more specific", policy.Policy{Blocked: scopes("quay.io")}, policies, component, false, true},
		{"a blocked scope is more specific", policy.Policy{Blocked: scopes("quay.io/openshift-release-dev/ocp-v4.0-art-dev")}, policies, component, true, true},
		{"a wildcard", policy.Policy{Blocked: scopes("*.io")}, sigstore.Policies{}, component, true, true},
		{"in an allowed one", policy.Policy{Allowed: scopes("quay.io")}, sigstore.Policies{}, component, false, false},
		{"in no allowed one", policy.Policy{Allowed: scopes("registry.redhat.io")}, sigstore.Policies{}, component, true, true},
		{"a policy is more specific than an allowed one", policy.Policy{Allowed: scopes("quay.io")}, policies, component, false, true},
		{"an allowed one is more specific than a policy", policy.Policy{Allowed: scopes("quay.io/openshift-release-dev/ocp-release:4.22.3")}, policies, release, false, false},
	} {
		rules, err := policy.NewRules(policy.RulesConfig{}, c.stated)
		if err != nil {
			t.Fatal(err)
		}
		image := imageref.MustParse(c.image)
		n := node.Node{Policies: c.policies, Admission: node.NewAdmission(rules, []policy.Policy{c.stated}, imageref.MustParse(release))}
		if n.Judges(image) != c.judged {
			t.Errorf("%s: judged %v", c.name, !c.judged)
		}
		if len(c.stated.Allowed)+len(c.stated.Blocked) > 0 && c.judged && !c.rejected {
			continue // it would be asked for
		}
		_, _, err = n.Signatures(t.Context(), provider.Request{Image: image, Rules: rules}, image, "")
		e, rejected := errors.AsType[*node.RejectedError](err)
		if rejected != c.rejected || err != nil && !rejected || rejected && e.Image != image {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

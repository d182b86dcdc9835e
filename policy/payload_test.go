package policy_test

import (
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A blocked scope that the cluster's own release lies in counts only where a mirror for
// digests is left.
func TestBlockedPayload(t *testing.T) {
	const release = "quay.io/openshift-release-dev/ocp-release"
	for name, c := range map[string]struct {
		rules    []policy.Rule
		blocked  []string
		release  string // "" is release
		other    []policy.Policy
		image    string // that is looked up, "" is the release
		want     []string
		dropping []string
		byTag    bool // how the release is named
	}{
		"registry":                     {blocked: []string{"quay.io"}, want: []string{release}, dropping: []string{"quay.io"}},
		"repository":                   {blocked: []string{release}, want: []string{release}, dropping: []string{release}},
		"wildcard":                     {blocked: []string{"*.io"}, want: []string{release}, dropping: []string{"*.io"}},
		"with its port":                {blocked: []string{"r.corp:5000"}, release: "r.corp:5000/ocp/release", want: []string{"r.corp:5000/ocp/release"}, dropping: []string{"r.corp:5000"}},
		"all of the scope is opened":   {blocked: []string{"quay.io"}, image: "quay.io/a/b", want: []string{"quay.io/a/b"}, dropping: []string{"quay.io"}},
		"others stay":                  {blocked: []string{"evil.io", "quay.io"}, image: "evil.io/a/b", dropping: []string{"quay.io"}},
		"several":                      {blocked: []string{"quay.io", "quay.io/openshift-release-dev"}, want: []string{release}, dropping: []string{"quay.io", "quay.io/openshift-release-dev"}},
		"another repository":           {blocked: []string{"quay.io/a"}, image: "quay.io/a/b"},
		"a longer name":                {blocked: []string{release + "-nightly"}, image: release + "-nightly"},
		"digest mirror":                {rules: []policy.Rule{idms("quay.io/openshift-release-dev", "m.corp/ocp")}, blocked: []string{"quay.io"}, want: []string{"m.corp/ocp/ocp-release"}},
		"digest mirror, another image": {rules: []policy.Rule{idms("quay.io/openshift-release-dev", "m.corp/ocp")}, blocked: []string{"quay.io"}, image: "quay.io/a/b"},
		"digest mirror in another policy": {
			other:   []policy.Policy{policyOf(idms("quay.io/openshift-release-dev", "m.corp/ocp"))},
			blocked: []string{"quay.io"}, want: []string{"m.corp/ocp/ocp-release"},
		},
		"digest mirror, release by tag": {byTag: true, rules: []policy.Rule{idms("quay.io/openshift-release-dev", "m.corp/ocp")}, blocked: []string{"quay.io"}, want: []string{"m.corp/ocp/ocp-release"}},
		"release by tag":                {byTag: true, blocked: []string{"quay.io"}, want: []string{release}, dropping: []string{"quay.io"}},
		"inherited digest mirror":       {rules: []policy.Rule{idms("quay.io", "m.corp/q")}, blocked: []string{"quay.io/openshift-release-dev"}, want: []string{"m.corp/q/openshift-release-dev/ocp-release"}},
		"mirror for tags":               {rules: []policy.Rule{itms(release, "m.corp/r")}, blocked: []string{"quay.io"}, want: []string{release}, dropping: []string{"quay.io"}},
		"mirror of something else":      {rules: []policy.Rule{idms("quay.io/a", "m.corp/a")}, blocked: []string{"quay.io"}, want: []string{release}, dropping: []string{"quay.io"}},
		"mirror that is blocked":        {rules: []policy.Rule{idms(release, "m.corp/r")}, blocked: []string{"m.corp", "quay.io"}, want: []string{release}, dropping: []string{"quay.io"}},
		"mirror in the same scope":      {rules: []policy.Rule{idms(release, "quay.io/mirror/r")}, blocked: []string{"quay.io"}, want: []string{"quay.io/mirror/r", release}, dropping: []string{"quay.io"}},
		"one of two mirrors":            {rules: []policy.Rule{idms(release, "m.corp/r", "n.corp/r")}, blocked: []string{"m.corp", "quay.io"}, want: []string{"n.corp/r"}},
		"NeverContactSource stays":      {rules: []policy.Rule{never(idms(release, "m.corp/r"))}, blocked: []string{"m.corp", "quay.io"}, dropping: []string{"quay.io"}},
		"of a flag":                     {other: []policy.Policy{{Blocked: scopes("quay.io")}}},
		"of a flag, and the object":     {other: []policy.Policy{{Blocked: []policy.Scope{{Name: "quay.io", Origin: "--blocked-registry"}}}}, blocked: []string{"quay.io"}, dropping: []string{"quay.io"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.release == "" {
				c.release = release
			}
			named := imageref.MustParse(c.release + sha)
			if c.byTag {
				named = imageref.MustParse(c.release + ":4.18.1-x86_64")
			}
			own := policy.Policy{
				Rules: c.rules, Blocked: scopes(c.blocked...),
				Payloads: []policy.Payload{{Image: named, Origin: "clusterversion/version"}},
			}
			for i := range own.Blocked {
				own.Blocked[i].Object = &policy.Object{Kind: "Image", Name: "cluster"} // as sources give it
			}
			for _, policies := range [][]policy.Policy{append(c.other, own), append([]policy.Policy{own}, c.other...)} {
				rules := mustRules(t, policy.RulesConfig{}, policies...)
				image := imageref.MustParse(c.release + sha)
				if c.image != "" {
					image = imageref.MustParse(c.image + sha)
				}
				candidates, err := rules.Candidates(image)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, c := range candidates {
					got = append(got, c.Ref.Name())
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%s is pulled from %q; want %q", image.Name(), got, c.want)
				}
				dropping := warnings(rules, policy.WarnBlockedPayload)
				if len(dropping) != len(c.dropping) {
					t.Fatalf("warnings %+v; want one for each of %q", dropping, c.dropping)
				}
				for _, scope := range rules.Blocked() {
					if slices.Contains(c.dropping, scope.Name) && scope.Origin != "--blocked-registry" {
						t.Errorf("%+v is still blocked", scope)
					}
				}
				// Who is handed the rules has the same ones.
				if second := mustRules(t, policy.RulesConfig{}, rules.Policy()); second.Version() != rules.Version() {
					t.Error("the rules change when they are handed on")
				}
			}
		})
	}
}

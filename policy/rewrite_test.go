package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// override returns a pair of --registry-overrides.
func override(source, target string) policy.Rule {
	return policy.Rule{
		Kind: policy.KindRewrite, Source: source, Mirrors: []policy.Mirror{{Location: target}}, Pull: policy.PullAny,
		Origin: "--registry-overrides " + source + "=" + target,
	}
}

// TestRewrite is the table that HyperShift's support/util/registryoverride is
// tested with, on references. Its row "quay.io" to "m" is not one of a
// reference: as an image "quay.io" is docker.io/library/quay.io.
func TestRewrite(t *testing.T) {
	overlap := []policy.Rule{override("quay.io", "broad.example.com"), override("quay.io/openshift-release-dev", "narrow.example.com/mirror")}
	for _, test := range []struct {
		name        string
		rules       []policy.Rule
		image, want string
	}{
		{"none", nil, "quay.io/foo/bar:latest", "quay.io/foo/bar:latest"},
		{"no match", []policy.Rule{override("other.io", "m.com")}, "quay.io/foo/bar:latest", "quay.io/foo/bar:latest"},
		{"host, digest kept", []policy.Rule{override("quay.io", "m.com")}, "quay.io/foo/bar" + sha, "m.com/foo/bar" + sha},
		{"host, tag kept", []policy.Rule{override("quay.io", "m.com/mirror")}, "quay.io/foo/bar:t", "m.com/mirror/foo/bar:t"},
		{"longer host", []policy.Rule{override("quay.io", "m.com")}, "quay.io.example.com/foo/bar:latest", "quay.io.example.com/foo/bar:latest"},
		{"longer label", []policy.Rule{override("quay.io", "m.com")}, "quay.io-evil/foo:latest", "quay.io-evil/foo:latest"},
		{"a host inside the path", []policy.Rule{override("quay.io", "m.com")}, "m.example.com/quay.io/foo:latest", "m.example.com/quay.io/foo:latest"},
		{"overlap, narrow", overlap, "quay.io/openshift-release-dev/ocp-release" + sha, "narrow.example.com/mirror/ocp-release" + sha},
		{"overlap, broad", overlap, "quay.io/some-other-org/image:tag", "broad.example.com/some-other-org/image:tag"},
		{"empty key", []policy.Rule{override("", "m.com"), override("", "")}, "quay.io/foo:t", "quay.io/foo:t"},
		{"repository and digest", []policy.Rule{override("quay.io/r/ocp-v4.0-art-dev", "m.com/art")}, "quay.io/r/ocp-v4.0-art-dev" + sha, "m.com/art" + sha},
		{"repository and tag", []policy.Rule{override("quay.io/r/ocp-v4.0-art-dev", "m.com/art")}, "quay.io/r/ocp-v4.0-art-dev:t", "m.com/art:t"},
		{"repository with a longer name", []policy.Rule{override("quay.io/r/ocp-v4.0-art-dev", "m.com/art")}, "quay.io/r/ocp-v4.0-art-dev-extra" + sha, "quay.io/r/ocp-v4.0-art-dev-extra" + sha},
		{"a port is part of the host", []policy.Rule{override("quay.io", "m.com")}, "quay.io:5000/foo:t", "quay.io:5000/foo:t"},
		{"a source with a port", []policy.Rule{override("myregistry:5000", "m.com/x")}, "myregistry:5000/foo:t", "m.com/x/foo:t"},
		{"tag and digest", []policy.Rule{override("quay.io/foo", "m.com/x")}, "quay.io/foo:t" + sha, "m.com/x:t" + sha},
		{"a whole reference", []policy.Rule{override("quay.io/foo:t", "m.com/x:u")}, "quay.io/foo:t" + sha, "m.com/x:u" + sha},
		{"never twice", []policy.Rule{override("a.com", "b.com"), override("b.com", "c.com")}, "a.com/x:t", "b.com/x:t"},
		{"an address", []policy.Rule{override("quay.io", "[::1]:5000")}, "quay.io/foo:t", "[::1]:5000/foo:t"},
		{"no tag", []policy.Rule{override("quay.io", "m.com")}, "quay.io/foo", "m.com/foo"},
		{"unparsable stays", []policy.Rule{override("quay.io", "nodot")}, "quay.io/foo:t", "quay.io/foo:t"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustRules(t, policy.RulesConfig{}, policyOf(test.rules...))
			got := r.Rewrite(imageref.MustParse(test.image))
			if got.String() != test.want {
				t.Errorf("Rewrite(%s) = %s, want %s", test.image, got, test.want)
			}
		})
	}
	if got := mustRules(t, policy.RulesConfig{}, policyOf(overlap...)).Rewrite(imageref.Ref{}); !got.IsZero() {
		t.Errorf("Rewrite of nothing = %s", got)
	}
}

func TestRewriteCandidates(t *testing.T) {
	for _, test := range []struct {
		name        string
		policy      policy.Policy
		image, want string
	}{
		{"in the source's place", policyOf(override("quay.io", "o.com")), "quay.io/a/b" + sha, "o.com/a/b@D"},
		{"mirrors match the canonical reference", policyOf(override("quay.io", "o.com"), idms("quay.io/a", "m.com"), idms("o.com", "wrong.com")),
			"quay.io/a/b" + sha, "m.com/b@D* o.com/a/b@D"},
		{"wherever the list names the source", policyOf(override("quay.io", "o.com"), idms("quay.io/s", "z.com/s", "quay.io/s", "a.com/s")),
			"quay.io/s" + sha, "z.com/s@D* o.com/s@D a.com/s@D* o.com/s@D"},
		{"never is about the source", policyOf(override("quay.io", "o.com"), never(idms("quay.io/a", "m.com"))), "quay.io/a/b" + sha, "m.com/b@D* o.com/a/b@D"},
		{"blocked and insecure are about the place", policy.Policy{
			Rules: []policy.Rule{override("quay.io", "o.com"), override("q.io", "b.com")}, Insecure: scopes("o.com", "q.io"), Blocked: scopes("b.com"),
		}, "quay.io/a:t", "o.com/a:t!"},
		{"blocked", policy.Policy{Rules: []policy.Rule{override("q.io", "b.com")}, Blocked: scopes("b.com")}, "q.io/a:t", "(b.com/a:t by b.com)"},
		{"normalized", policyOf(override("docker.io", "o.com")), "alpine", "o.com/library/alpine:latest"},
		{"a table's other location gives way", policyOf(override("quay.io", "o.com"), located("quay.io", "l.com")), "quay.io/a:t", "o.com/a:t"},
		{"unparsable", policyOf(override("quay.io/a", "o.com")), "quay.io/a:t", "error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := resolve(t, mustRules(t, policy.RulesConfig{}, test.policy), test.image); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func located(source, at string) policy.Rule {
	r := literal(any_(source))
	r.Location = at
	return r
}

func TestRewriteErrors(t *testing.T) {
	two := override("quay.io", "a.com")
	two.Mirrors = append(two.Mirrors, policy.Mirror{Location: "b.com"})
	for want, rules := range map[string][]policy.Rule{
		"2 targets":       {two},
		"wildcards":       {override("*.redhat.io", "m.com")},
		"target is empty": {override("quay.io", "")},
		"to both":         {override("quay.io", "a.com"), override("quay.io/", "b.com")},
		"scheme":          {override("quay.io", "https://a.com")},
	} {
		_, err := policy.NewRules(policy.RulesConfig{}, policyOf(rules...))
		invalid, ok := errors.AsType[*policy.InvalidPolicyError](err)
		if !ok || !strings.Contains(err.Error(), want) || !strings.Contains(invalid.Origin, "--registry-overrides") {
			t.Errorf("%v: want %q with its origin", err, want)
		}
	}
	if _, err := policy.NewRules(policy.RulesConfig{}, policyOf(override("quay.io", "a.com"), override("quay.io", "a.com"))); err != nil {
		t.Errorf("the same override twice: %v", err)
	}
}

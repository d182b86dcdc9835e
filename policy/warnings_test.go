package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy policy.Policy
		code   string
		want   []string // in the message; none is no such warning
	}{
		{"contradicting orders", policyOf(idms("q.io/c", "r.io/a", "r.io/b"), idms("q.io/c", "r.io/b", "r.io/a")), policy.WarnSourceFirst, []string{"q.io/c itself before r.io/a, r.io/b"}},
		{"a mirror twice", policyOf(idms("q.io/c", "r.io/a", "r.io/a")), policy.WarnSourceFirst, []string{"q.io/c itself"}},
		{"contradicting orders, the source last", policyOf(idms("z.io/c", "r.io/a", "r.io/b"), idms("z.io/c", "r.io/b", "r.io/a")), policy.WarnSourceFirst, nil},
		{"the source in the middle on purpose", policyOf(idms("q.io/s", "z.com", "q.io/s", "a.com")), policy.WarnSourceFirst, nil},
		{"once for digests and tags", policyOf(any_("q.io/c", "r.io/a", "r.io/a")), policy.WarnSourceFirst, []string{"q.io/c itself"}},

		{"never without mirrors", policyOf(never(idms("quay.io/a"))), policy.WarnNeverNoMirrors, []string{"quay.io/a is contacted"}},
		{"never with itself alone", policyOf(never(itms("quay.io/a", "quay.io/a"))), policy.WarnNeverNoMirrors, []string{"quay.io/a is contacted"}},
		{"never on a wildcard", policyOf(never(itms("*.quay.io"))), policy.WarnNeverNoMirrors, []string{"*.quay.io is contacted"}},
		{"never, said with mirrors elsewhere", policyOf(never(idms("quay.io/a")), never(itms("quay.io/a", "m.com"))), policy.WarnNeverNoMirrors, nil},
		{"never, and a wildcard is blocked too", policy.Policy{Rules: []policy.Rule{never(itms("*.quay.io"))}, Blocked: scopes("*.quay.io")}, policy.WarnNeverNoMirrors, nil},

		{"never, hidden", policyOf(never(idms("quay.io", "m.com")), idms("quay.io/open", "m.com/o")), policy.WarnNeverHidden, []string{"images in quay.io/open are pulled"}},
		{"never, hidden by an insecure scope", policy.Policy{Rules: []policy.Rule{never(idms("n.com", "m.com"))}, Insecure: scopes("n.com/sub")}, policy.WarnNeverHidden, []string{"n.com/sub (image/cluster)"}},
		{"never, hidden by a port", policyOf(never(idms("quay.io", "m.com")), idms("quay.io:443", "m.com")), policy.WarnNeverHidden, []string{"quay.io:443"}},
		{"never on a wildcard, hidden", policyOf(never(idms("*.quay.io", "m.com")), idms("cdn.quay.io/x", "m.com")), policy.WarnNeverHidden, []string{"cdn.quay.io/x"}},
		{"never on a wildcard, hidden by a wildcard", policyOf(never(idms("*.quay.io", "m.com")), idms("*.cdn.quay.io", "m.com")), policy.WarnNeverHidden, []string{"*.cdn.quay.io"}},
		{"never, on both", policyOf(never(idms("quay.io", "m.com")), never(idms("quay.io/open", "m.com"))), policy.WarnNeverHidden, nil},
		{"never, blocked reaches down", policy.Policy{Rules: []policy.Rule{idms("quay.io/open", "m.com/o")}, Blocked: scopes("quay.io")}, policy.WarnNeverHidden, nil},
		{"never, opened once", policyOf(never(idms("q.io", "m.com")), idms("q.io/a", "m.com/a"), idms("q.io/a/b", "m.com/b")), policy.WarnNeverHidden, []string{"images in q.io/a are"}},

		{"tags hide digests", policyOf(idms("p.com/top", "m.com"), itms("p.com/top/tagonly", "m.com/t")), policy.WarnTagHidesDigest, []string{"p.com/top/tagonly"}},
		{"tags and digests", policyOf(idms("p.com/top", "m.com"), any_("p.com/top/both", "m.com/t")), policy.WarnTagHidesDigest, nil},
		{"tags below tags", policyOf(itms("p.com/top", "m.com"), itms("p.com/top/tagonly", "m.com/t")), policy.WarnTagHidesDigest, nil},
		{"tags in a table", policyOf(literal(idms("p.com/top", "m.com")), literal(itms("p.com/top/tagonly", "m.com/t"))), policy.WarnTagHidesDigest, []string{"p.com/top/tagonly"}},

		{"a host without a dot", policyOf(idms("quay.io", "nodot/ns")), policy.WarnUnparsableRewrite, []string{"quay.io", "nodot/ns", "no registry", "dot"}[:2]},
		{"upper case", policyOf(idms("*.redhat.io", "m.com/A")), policy.WarnUnparsableRewrite, []string{"*.redhat.io", "lower case"}},
		{"a tag", policyOf(itms("quay.io/a", "m.com/a:t")), policy.WarnUnparsableRewrite, []string{"m.com/a:t"}},
		{"an override without a dot", policyOf(override("quay.io", "nodot")), policy.WarnUnparsableRewrite, []string{"starts with no registry host"}},
		{"a table at nowhere", policyOf(located("quay.io", "nodot")), policy.WarnUnparsableRewrite, []string{"nodot"}},
		{"no registry", policyOf(idms("quay.io/a", "mirror-a/ocp")), policy.WarnUnparsableRewrite, []string{"pulled from mirror-a/ocp", "mirror-a/ocp", "starts with no registry host", "no dot, no port", "nodes refuse"}},
		{"no registry, of an override", policyOf(override("quay.io/a", "mirror-a/ocp")), policy.WarnUnparsableRewrite, []string{"mirror-a/ocp", "starts with no registry host", "no dot, no port"}},
		{"docker hub", policyOf(idms("quay.io", "docker.io")), policy.WarnUnparsableRewrite, nil},
		{"some images only", policyOf(idms("quay.io", "m.com:8443")), policy.WarnUnparsableRewrite, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := warnings(mustRules(t, policy.RulesConfig{}, test.policy), test.code)
			if len(test.want) == 0 {
				if len(got) > 0 {
					t.Errorf("%+v", got)
				}
				return
			}
			if len(got) != 1 {
				t.Fatalf("%d warnings, want 1: %+v", len(got), got)
			}
			for _, part := range test.want {
				if !strings.Contains(got[0].Message, part) {
					t.Errorf("%q does not say %q", got[0].Message, part)
				}
			}
			if len(got[0].Origins) == 0 {
				t.Error("no origin")
			}
		})
	}
}

// Warnings name an entry once, whatever mirrors it has and whoever it serves.
func TestWarningsNameOriginsOnce(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{TagsFollowDigestRules: true}, policy.Policy{
		Rules: []policy.Rule{
			idms("q.io", "nodot/a", "r.io/a", "nodot/a"), any_("q.io", "r.io/a", "nodot/a"), never(idms("q.io", "r.io/b", "r.io/a")),
			never(idms("q.io", "r.io/a", "r.io/b")), itms("q.io/sub", "nodot/a"),
		},
	})
	for _, w := range r.Warnings() {
		if sorted := slices.Sorted(slices.Values(w.Origins)); len(slices.Compact(sorted)) != len(w.Origins) {
			t.Errorf("%+v", w)
		}
	}
	if n := len(r.Warnings()); n < 4 {
		t.Errorf("%d warnings", n)
	}
}

func TestOddScopes(t *testing.T) {
	for _, test := range []struct{ scope, want string }{
		{"quay.io,foo.io", "entry of its own"},
		{"quay.io foo.io", "entry of its own"},
		{"quay.io/", "nested"},
		{"QUAY.io", "upper case"},
		{"QUAY.io/a", "upper case"},
		{"*.QUAY.io", "upper case"},
		{"quay.io/A", "matches no image"},
		{"quay.io/a:tag", "matches no image"},
		{"quay.io/a" + sha, "matches no image"},
		{"foo.*", "wildcard"},
		{"*", "wildcard"},
		{"https://quay.io", "scheme"},
		{"quay", "dot"},
		{"index.docker.io", "matches no image"},
		{"quay.io", ""},
		{"quay.io:443", ""},
		{"quay.io:443/a/b", ""},
		{"quay.io/a_b/c", ""},
		{"*.quay.io", ""},
		{"localhost", ""},
		{"localhost:5000/a", ""},
		{"docker.io", ""},
		{"docker.io/openshift", ""},
		{"[::1]:5000", ""},
	} {
		table := never(literal(any_(test.scope)))
		for name, p := range map[string]policy.Policy{
			"blocked": {Blocked: scopes(test.scope)}, "insecure": {Insecure: scopes(test.scope)}, "table": policyOf(table),
		} {
			if name == "table" && test.scope == "quay.io/" {
				continue // what reads registries.conf takes the slash away
			}
			r, err := policy.NewRules(policy.RulesConfig{}, p)
			if err != nil {
				if test.scope != "https://quay.io" {
					t.Errorf("%s %s: %v", name, test.scope, err)
				}
				continue
			}
			got := append(warnings(r, policy.WarnOddScope), warnings(r, policy.WarnDeadScope)...)
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("%s %s: %+v", name, test.scope, got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, test.want) || !strings.Contains(got[0].Message, test.scope) || len(got[0].Origins) != 1):
				t.Errorf("%s %s: %+v, want %q", name, test.scope, got, test.want)
			}
			// Who is handed the rules has been told, or somebody else has.
			handed := mustRules(t, policy.RulesConfig{}, r.Policy())
			if second := append(warnings(handed, policy.WarnOddScope), warnings(handed, policy.WarnDeadScope)...); len(second) > 0 {
				t.Errorf("%s %s, handed on: %+v", name, test.scope, second)
			}
		}
	}
}

package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy provider.Policy
		code   string
		want   []string // in the message; none is no such warning
	}{
		{"contradicting orders", policy(idms("q.io/c", "r.io/a", "r.io/b"), idms("q.io/c", "r.io/b", "r.io/a")), provider.WarnSourceFirst, []string{"q.io/c itself before r.io/a, r.io/b"}},
		{"a mirror twice", policy(idms("q.io/c", "r.io/a", "r.io/a")), provider.WarnSourceFirst, []string{"q.io/c itself"}},
		{"contradicting orders, the source last", policy(idms("z.io/c", "r.io/a", "r.io/b"), idms("z.io/c", "r.io/b", "r.io/a")), provider.WarnSourceFirst, nil},
		{"the source in the middle on purpose", policy(idms("q.io/s", "z.com", "q.io/s", "a.com")), provider.WarnSourceFirst, nil},
		{"once for digests and tags", policy(any_("q.io/c", "r.io/a", "r.io/a")), provider.WarnSourceFirst, []string{"q.io/c itself"}},

		{"never without mirrors", policy(never(idms("quay.io/a"))), provider.WarnNeverNoMirrors, []string{"quay.io/a is contacted"}},
		{"never with itself alone", policy(never(itms("quay.io/a", "quay.io/a"))), provider.WarnNeverNoMirrors, []string{"quay.io/a is contacted"}},
		{"never on a wildcard", policy(never(itms("*.quay.io"))), provider.WarnNeverNoMirrors, []string{"*.quay.io is contacted"}},
		{"never, said with mirrors elsewhere", policy(never(idms("quay.io/a")), never(itms("quay.io/a", "m.com"))), provider.WarnNeverNoMirrors, nil},
		{"never, and a wildcard is blocked too", provider.Policy{Rules: []provider.Rule{never(itms("*.quay.io"))}, Blocked: scopes("*.quay.io")}, provider.WarnNeverNoMirrors, nil},

		{"never, hidden", policy(never(idms("quay.io", "m.com")), idms("quay.io/open", "m.com/o")), provider.WarnNeverHidden, []string{"images in quay.io/open are pulled"}},
		{"never, hidden by an insecure scope", provider.Policy{Rules: []provider.Rule{never(idms("n.com", "m.com"))}, Insecure: scopes("n.com/sub")}, provider.WarnNeverHidden, []string{"n.com/sub (image/cluster)"}},
		{"never, hidden by a port", policy(never(idms("quay.io", "m.com")), idms("quay.io:443", "m.com")), provider.WarnNeverHidden, []string{"quay.io:443"}},
		{"never on a wildcard, hidden", policy(never(idms("*.quay.io", "m.com")), idms("cdn.quay.io/x", "m.com")), provider.WarnNeverHidden, []string{"cdn.quay.io/x"}},
		{"never on a wildcard, hidden by a wildcard", policy(never(idms("*.quay.io", "m.com")), idms("*.cdn.quay.io", "m.com")), provider.WarnNeverHidden, []string{"*.cdn.quay.io"}},
		{"never, on both", policy(never(idms("quay.io", "m.com")), never(idms("quay.io/open", "m.com"))), provider.WarnNeverHidden, nil},
		{"never, blocked reaches down", provider.Policy{Rules: []provider.Rule{idms("quay.io/open", "m.com/o")}, Blocked: scopes("quay.io")}, provider.WarnNeverHidden, nil},
		{"never, opened once", policy(never(idms("q.io", "m.com")), idms("q.io/a", "m.com/a"), idms("q.io/a/b", "m.com/b")), provider.WarnNeverHidden, []string{"images in q.io/a are"}},

		{"tags hide digests", policy(idms("p.com/top", "m.com"), itms("p.com/top/tagonly", "m.com/t")), provider.WarnTagHidesDigest, []string{"p.com/top/tagonly"}},
		{"tags and digests", policy(idms("p.com/top", "m.com"), any_("p.com/top/both", "m.com/t")), provider.WarnTagHidesDigest, nil},
		{"tags below tags", policy(itms("p.com/top", "m.com"), itms("p.com/top/tagonly", "m.com/t")), provider.WarnTagHidesDigest, nil},
		{"tags in a table", policy(literal(idms("p.com/top", "m.com")), literal(itms("p.com/top/tagonly", "m.com/t"))), provider.WarnTagHidesDigest, []string{"p.com/top/tagonly"}},

		{"a host without a dot", policy(idms("quay.io", "nodot/ns")), provider.WarnUnparsableRewrite, []string{"quay.io", "nodot/ns", "no registry", "dot"}[:2]},
		{"upper case", policy(idms("*.redhat.io", "m.com/A")), provider.WarnUnparsableRewrite, []string{"*.redhat.io", "lower case"}},
		{"a tag", policy(itms("quay.io/a", "m.com/a:t")), provider.WarnUnparsableRewrite, []string{"m.com/a:t"}},
		{"an override without a dot", policy(override("quay.io", "nodot")), provider.WarnUnparsableRewrite, []string{"starts with no registry host"}},
		{"a table at nowhere", policy(located("quay.io", "nodot")), provider.WarnUnparsableRewrite, []string{"nodot"}},
		{"no registry", policy(idms("quay.io/a", "mirror-a/ocp")), provider.WarnUnparsableRewrite, []string{"pulled from mirror-a/ocp", "mirror-a/ocp", "starts with no registry host", "no dot, no port", "nodes refuse"}},
		{"no registry, of an override", policy(override("quay.io/a", "mirror-a/ocp")), provider.WarnUnparsableRewrite, []string{"mirror-a/ocp", "starts with no registry host", "no dot, no port"}},
		{"docker hub", policy(idms("quay.io", "docker.io")), provider.WarnUnparsableRewrite, nil},
		{"some images only", policy(idms("quay.io", "m.com:8443")), provider.WarnUnparsableRewrite, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := warnings(mustRules(t, provider.RulesConfig{}, test.policy), test.code)
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
	r := mustRules(t, provider.RulesConfig{TagsFollowDigestRules: true}, provider.Policy{
		Rules: []provider.Rule{
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
		for name, p := range map[string]provider.Policy{
			"blocked": {Blocked: scopes(test.scope)}, "insecure": {Insecure: scopes(test.scope)}, "table": policy(table),
		} {
			if name == "table" && test.scope == "quay.io/" {
				continue // what reads registries.conf takes the slash away
			}
			r, err := provider.NewRules(provider.RulesConfig{}, p)
			if err != nil {
				if test.scope != "https://quay.io" {
					t.Errorf("%s %s: %v", name, test.scope, err)
				}
				continue
			}
			got := warnings(r, provider.WarnOddScope)
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("%s %s: %+v", name, test.scope, got)
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, test.want) || !strings.Contains(got[0].Message, test.scope) || len(got[0].Origins) != 1):
				t.Errorf("%s %s: %+v, want %q", name, test.scope, got, test.want)
			}
			// Who is handed the rules has been told, or somebody else has.
			if again := warnings(mustRules(t, provider.RulesConfig{}, r.Policy()), provider.WarnOddScope); len(again) > 0 {
				t.Errorf("%s %s, handed on: %+v", name, test.scope, again)
			}
		}
	}
}

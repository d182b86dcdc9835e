package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

// dropIn makes r a table of a drop-in.
func dropIn(origin string, r policy.Rule) policy.Rule {
	r.ConfTable, r.DropIn, r.Origin = true, true, origin
	return r
}

// A drop-in replaces the table that nodes made of API objects and registries.conf,
// whole: mirrors, NeverContactSource, insecure. Nested scopes have inherited before.
func TestDropIns(t *testing.T) {
	base := literal(any_("q.io/conf", "base.com/conf"))
	base.DigestOnly, base.Pull = true, policy.PullDigest
	for _, test := range []struct {
		name   string
		policy policy.Policy
		want   map[string]string
	}{
		{"its mirrors, and the source is contacted", policyOf(never(idms("q.io/a", "a.com/a")), dropIn("d", any_("q.io/a", "b.com/a"))), map[string]string{
			"q.io/a/x" + sha: "b.com/a/x@D* q.io/a/x@D",
			"q.io/a/x:t":     "b.com/a/x:t* q.io/a/x:t",
		}},
		{"its block, without mirrors", policyOf(idms("docker.io", "m.com/d"), dropIn("d", never(any_("docker.io")))), map[string]string{
			"docker.io/a/x" + sha: "(docker.io/a/x@D by docker.io)",
		}},
		{"nothing at all", policyOf(never(idms("q.io", "m.com/q")), dropIn("d", any_("q.io"))), map[string]string{"q.io/x" + sha: "q.io/x@D"}},
		{"a sub-scope inherits nothing", policyOf(idms("q.io", "m.com/q"), dropIn("d", any_("q.io/sub"))), map[string]string{
			"q.io/sub/x" + sha: "q.io/sub/x@D",
			"q.io/x" + sha:     "m.com/q/x@D* q.io/x@D",
		}},
		{"a nested scope has inherited before", policy.Policy{Rules: []policy.Rule{idms("q.io", "m.com/q"), dropIn("d", any_("q.io"))}, Insecure: scopes("q.io/sub")}, map[string]string{
			"q.io/sub/x" + sha: "m.com/q/sub/x@D* q.io/sub/x@D!",
			"q.io/x" + sha:     "q.io/x@D",
		}},
		{"scopes do not reach it", policy.Policy{Rules: []policy.Rule{dropIn("d", any_("q.io/a", "m.com/a"))}, Insecure: scopes("q.io", "m.com"), Blocked: scopes("q.io/a")}, map[string]string{
			"q.io/a/x:t": "m.com/a/x:t* q.io/a/x:t",
		}},
		{"what it blocks is blocked as a mirror too", policyOf(idms("q.io", "m.com/q"), dropIn("d", never(any_("m.com")))), map[string]string{
			"q.io/x" + sha: "q.io/x@D (m.com/q/x@D by m.com)",
		}},
		{"over a table of registries.conf", policyOf(literal(any_("q.io", "base.com")), dropIn("d", any_("q.io", "d.com"))), map[string]string{"q.io/x:t": "d.com/x:t* q.io/x:t"}},
		{"only whole tables are replaced", policyOf(literal(any_("q.io", "base.com")), dropIn("d", any_("q.io/a", "d.com/a"))), map[string]string{
			"q.io/a/x:t": "d.com/a/x:t* q.io/a/x:t",
			"q.io/x:t":   "base.com/x:t* q.io/x:t",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustRules(t, policy.RulesConfig{}, test.policy)
			for name, rules := range map[string]*policy.Rules{"merged": r, "handed on": mustRules(t, policy.RulesConfig{}, r.Policy())} {
				for image, want := range test.want {
					if got := resolve(t, rules, image); got != want {
						t.Errorf("%s: %s\n got %s\nwant %s", name, image, got, want)
					}
				}
			}
		})
	}
	// The base is edited all the same, and what nodes refuse there they refuse.
	if _, err := policy.NewRules(policy.RulesConfig{}, policyOf(base, idms("q.io/conf", "m.com/conf"), dropIn("d", any_("q.io/conf")))); err == nil {
		t.Error("mirrors were added to a table with mirror-by-digest-only, behind a drop-in")
	}
}

// Drop-ins of several sources have no file names in common: the first counts, as
// among tables of registries.conf, and none opens what another one closes.
func TestDropInsOfSeveralSources(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(literal(any_("q.io", "base.com"))), policyOf(dropIn("one", any_("q.io", "one.com"))), policyOf(dropIn("two", never(any_("q.io", "two.com")))))
	if got, want := resolve(t, r, "q.io/x:t"), "one.com/x:t* (q.io/x:t by q.io)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if reported := warnings(r, policy.WarnDuplicateTable); len(reported) != 1 || !slices.Equal(reported[0].Origins, []string{"one", "two"}) {
		t.Errorf("%+v", reported)
	}
}

// Handed on, a drop-in stays what it is: what the receiver adds does not reach it.
func TestDropInComposed(t *testing.T) {
	handed := mustRules(t, policy.RulesConfig{}, policyOf(never(idms("q.io/a", "a.com/a")), dropIn("d", any_("q.io/a", "b.com/a")), literal(any_("q.io/b", "base.com/b")))).Policy()
	added := policy.Policy{Rules: []policy.Rule{never(idms("q.io/a", "m.com/a")), idms("q.io/b", "m.com/b")}, Blocked: scopes("q.io/a"), Insecure: scopes("b.com")}
	for _, order := range [][]policy.Policy{{handed, added}, {added, handed}} {
		r := mustRules(t, policy.RulesConfig{}, order...)
		for image, want := range map[string]string{"q.io/a/x" + sha: "b.com/a/x@D* q.io/a/x@D", "q.io/b/x" + sha: "base.com/b/x@D* m.com/b/x@D* q.io/b/x@D"} {
			if got := resolve(t, r, image); got != want {
				t.Errorf("%s: got %s, want %s", image, got, want)
			}
		}
	}
}

// Whose entries count no more is told, and what is lost.
func TestDropInExplained(t *testing.T) {
	p := policy.Policy{
		Rules:    []policy.Rule{from("object", never(idms("q.io/a", "a.com/a"))), dropIn("drop", any_("q.io/a", "b.com/a")), dropIn("harmless", any_("z.io", "m.com/z"))},
		Insecure: []policy.Scope{{Name: "q.io", Origin: "image"}, {Name: "b.com", Origin: "image"}},
	}
	p.Rules[1].Mirrors[0].Insecure = true
	r := mustRules(t, policy.RulesConfig{}, p)
	x := explain(t, r, "q.io/a/x"+sha)
	if len(x.Entries) != 1 || x.Entries[0].Origin != "drop" || !x.Entries[0].DropIn || len(x.Replaced) != 1 || x.Replaced[0].Origin != "object" {
		t.Errorf("entries %+v, replaced %+v", x.Entries, x.Replaced)
	}
	if len(x.InsecureScopes)+len(x.BlockedScopes) > 0 {
		t.Errorf("scopes %+v, %+v reach a drop-in", x.InsecureScopes, x.BlockedScopes)
	}
	if by := x.Candidates[0].InsecureBy; by == nil || by.Name != "b.com/a" || by.Origin != "drop" {
		t.Errorf("insecure by %+v, want the table of the drop-in", by)
	}
	reported := warnings(r, policy.WarnDropInReplaces)
	if len(reported) != 1 || !slices.Equal(reported[0].Origins, []string{"drop", "object"}) {
		t.Fatalf("%+v", reported)
	}
	for _, lost := range []string{"mirrors", "not to be contacted", "insecure"} {
		if !strings.Contains(reported[0].Message, lost) {
			t.Errorf("%q does not say that %q is lost", reported[0].Message, lost)
		}
	}
}

// The version is that of what lookups see: how a table came there does not matter.
func TestDropInVersion(t *testing.T) {
	as := func(rules ...policy.Rule) string {
		return mustRules(t, policy.RulesConfig{}, policyOf(rules...)).Version()
	}
	table := any_("q.io", "m.com")
	if as(literal(table)) != as(dropIn("d", table)) || as(dropIn("d", table)) != as(never(idms("q.io", "n.com")), dropIn("d", table)) {
		t.Error("the same tables have different versions")
	}
	if as(literal(table), idms("q.io", "n.com")) == as(dropIn("d", table), idms("q.io", "n.com")) {
		t.Error("different answers have one version")
	}
}

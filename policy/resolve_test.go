package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

func TestTagsFollowDigestRules(t *testing.T) {
	cfg := policy.RulesConfig{TagsFollowDigestRules: true}
	for _, test := range []struct {
		name        string
		policy      policy.Policy
		image, want string
	}{
		{"a tag", policyOf(idms("quay.io/a", "m.com/x")), "quay.io/a:t", "m.com/x:t* quay.io/a:t"},
		{"a digest", policyOf(idms("quay.io/a", "m.com/x")), "quay.io/a" + sha, "m.com/x@D* quay.io/a@D"},
		{"merged before they are ordered", policyOf(idms("quay.io/a", "b.com/x", "c.com/x"), itms("quay.io/a", "a.com/x", "b.com/x")), "quay.io/a:t", "a.com/x:t* b.com/x:t* c.com/x:t* quay.io/a:t"},
		{"never", policyOf(never(idms("quay.io/a", "m.com/x"))), "quay.io/a:t", "m.com/x:t* (quay.io/a:t by quay.io/a)"},
		{"tables", policyOf(literal(idms("quay.io/a", "m.com/x"))), "quay.io/a:t", "m.com/x:t* quay.io/a:t"},
	} {
		if got := resolve(t, mustRules(t, cfg, test.policy), test.image); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// TestTables: consecutive rules of one source and origin are one table; the first
// of several tables counts; mirrors of API objects come after.
func TestTables(t *testing.T) {
	digest, tag, all := literal(idms("q.io", "d.com")), literal(itms("q.io", "t.com")), literal(any_("q.io", "a.com"))
	second := literal(itms("q.io", "second.com"))
	second.Origin = "another table"
	r := mustRules(t, policy.RulesConfig{}, policyOf(digest, all, tag, second), policyOf(idms("q.io", "api.com")))
	for image, want := range map[string]string{
		"q.io/x" + sha: "d.com/x@D* a.com/x@D* api.com/x@D* q.io/x@D",
		"q.io/x:t":     "a.com/x:t* t.com/x:t* q.io/x:t",
	} {
		if got := resolve(t, r, image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}

// Of the tables of several files the first counts, and that any of them forbids
// the source; who loses is told.
func TestDuplicateTables(t *testing.T) {
	table := func(origin string, r policy.Rule) policy.Policy {
		r.ConfTable, r.Origin = true, origin
		return policyOf(r)
	}
	insecure := func(r policy.Rule) policy.Rule {
		r.Insecure = true
		return r
	}
	for _, test := range []struct {
		name          string
		first, second policy.Rule
		want, says    string
	}{
		{"mirrors", any_("q.io", "a.com"), any_("q.io", "b.com"), "a.com/x:t* q.io/x:t", "dropped"},
		{"the second forbids it", any_("q.io", "a.com"), never(any_("q.io")), "a.com/x:t* (q.io/x:t by q.io)", "blocks the source is kept"},
		{"the first forbids it", never(any_("q.io", "a.com")), any_("q.io", "b.com"), "a.com/x:t* (q.io/x:t by q.io)", "dropped"},
		{"the second is insecure", any_("q.io"), insecure(any_("q.io")), "q.io/x:t", "does not become insecure"},
		{"the first is insecure", insecure(any_("q.io")), any_("q.io"), "q.io/x:t!", "stays insecure"},
		{"the second is elsewhere", any_("q.io"), located("q.io", "z.io"), "q.io/x:t", "dropped"},
		{"the same", any_("q.io", "a.com"), any_("q.io", "a.com"), "a.com/x:t* q.io/x:t", ""},
	} {
		r := mustRules(t, policy.RulesConfig{}, table("first", test.first), table("second", test.second))
		if got := resolve(t, r, "q.io/x:t"); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
		reported := warnings(r, policy.WarnDuplicateTable)
		if test.says == "" {
			if len(reported) > 0 {
				t.Errorf("%s: %+v", test.name, reported)
			}
			continue
		}
		if len(reported) != 1 || !strings.Contains(reported[0].Message, test.says) || !slices.Equal(reported[0].Origins, []string{"first", "second"}) {
			t.Errorf("%s: %+v, want %q and both origins", test.name, reported, test.says)
		}
	}
	r := mustRules(t, policy.RulesConfig{}, table("first", any_("q.io")), table("second", never(any_("q.io"))))
	res, err := r.Resolve(imageref.MustParse("q.io/x:t"))
	if err != nil || len(res.Refused) != 1 || res.Refused[0].Origin != "second" {
		t.Errorf("%+v, %v; want it refused by the second", res, err)
	}
}

// The source's own endpoint names the table that moved it.
func TestMovedSourceHasOrigins(t *testing.T) {
	wild := literal(any_("*.w.io"))
	wild.Location = "v.io"
	r := mustRules(t, policy.RulesConfig{}, policyOf(located("p.io", "q.io/z"), literal(any_("s.io", "m.com")), literal(any_("*.x.io")), wild))
	for image, want := range map[string]string{
		"p.io/a:t": "q.io/z/a:t [test/p.io]", "s.io/a:t": "s.io/a:t []", "a.x.io/a:t": "a.x.io/a:t []", "a.w.io/a:t": "v.io/a:t [test/*.w.io]",
	} {
		res, err := r.Resolve(imageref.MustParse(image))
		if err != nil {
			t.Fatal(err)
		}
		fast, err := r.Candidates(res.Normalized)
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range [][]policy.Candidate{res.Candidates, fast} {
			if c := all[len(all)-1]; fmt.Sprint(c.Ref, " ", c.Origins) != want {
				t.Errorf("%s: %v %v, want %s", image, c.Ref, c.Origins, want)
			}
		}
	}
}

// A resolution says whose mirrors an entry without mirrors of its own has.
func TestInherited(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules:    []policy.Rule{idms("q.io", "m.com"), idms("q.io/own", "n.com"), literal(any_("q.io/table")), literal(any_("r.io/alone"))},
		Insecure: scopes("q.io/insecure", "q.io/own/insecure"),
		Blocked:  scopes("q.io/blocked", "alone.io"),
	})
	second := mustRules(t, policy.RulesConfig{}, r.Policy())
	for image, want := range map[string]string{
		"q.io/a": "", "q.io/own/a": "", "q.io/table/a": "q.io", "q.io/insecure/a": "q.io", "q.io/own/insecure/a": "q.io", "q.io/blocked": "q.io",
		"alone.io/a": "", "r.io/alone/a": "", "z.io/a": "",
	} {
		for _, rules := range []*policy.Rules{r, second} {
			res, err := rules.Resolve(imageref.MustParse(image + sha))
			if err != nil || res.Inherited != want {
				t.Errorf("%s: inherited from %q, %v; want %q", image, res.Inherited, err, want)
			}
		}
	}
}

// TestScopes: insecure and blocked scopes reach into what is nested in them. A
// host's entry covers its ports when it is looked up, so they are blocked too.
func TestScopes(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{
			idms("quay.io", "m.com/q", "bad.com/q", "bad.com:5000/q", "in.m.com/q"), idms("quay.io/ns/sub", "n.com"), never(idms("same.io/a", "same.io/a/mirror", "ok.io/a")),
		},
		Insecure: scopes("quay.io/ns", "*.m.com"), Blocked: scopes("bad.com", "quay.io/ns/shut"),
	})
	for image, want := range map[string]string{
		"quay.io/x" + sha:         "m.com/q/x@D* in.m.com/q/x@D*! quay.io/x@D (bad.com/q/x@D by bad.com) (bad.com:5000/q/x@D by bad.com)",
		"quay.io/ns/x" + sha:      "m.com/q/ns/x@D* in.m.com/q/ns/x@D*! quay.io/ns/x@D! (bad.com/q/ns/x@D by bad.com) (bad.com:5000/q/ns/x@D by bad.com)",
		"quay.io/ns/sub/x" + sha:  "n.com/x@D* quay.io/ns/sub/x@D!",
		"quay.io/ns/shut/x" + sha: "m.com/q/ns/shut/x@D* in.m.com/q/ns/shut/x@D*! (bad.com/q/ns/shut/x@D by bad.com) (bad.com:5000/q/ns/shut/x@D by bad.com) (quay.io/ns/shut/x@D by quay.io/ns/shut)",
		"same.io/a/x" + sha:       "ok.io/a/x@D* (same.io/a/mirror/x@D by same.io/a) (same.io/a/x@D by same.io/a)",
		"bad.com/x:t":             "(bad.com/x:t by bad.com)",
		"a.m.com/x:t":             "a.m.com/x:t!",
	} {
		if got := resolve(t, r, image); got != want {
			t.Errorf("%s\n got %s\nwant %s", image, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules:   []policy.Rule{idms("quay.io", "m.com"), idms("quay.io/a/b", "n.com/b"), itms("quay.io/a", "o.com"), idms("*.io", "w.com")},
		Blocked: []policy.Scope{{Name: "n.com", Origin: "image/cluster"}},
	})
	res, err := r.Resolve(imageref.MustParse("quay.io/a/b/c:t" + sha))
	if err != nil {
		t.Fatal(err)
	}
	if res.Normalized.String() != "quay.io/a/b/c"+sha || res.Source != "quay.io/a/b" || !slices.Equal(res.Losing, []string{"quay.io/a", "quay.io", "*.io"}) {
		t.Errorf("%+v", res)
	}
	if len(res.Refused) != 1 || res.Refused[0] != (policy.Refusal{Ref: imageref.MustParse("n.com/b/c" + sha), Mirror: true, By: "n.com", Origin: "image/cluster"}) {
		t.Errorf("refused %+v", res.Refused)
	}
	res, err = r.Resolve(imageref.MustParse("quay.io/x" + sha))
	if err != nil || len(res.Candidates) != 2 || !slices.Equal(res.Candidates[0].Origins, []string{"test/quay.io"}) {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := r.Resolve(imageref.Ref{}); err == nil {
		t.Error("nothing was resolved")
	}
	if _, err := r.Candidates(imageref.Ref{}); err == nil {
		t.Error("nothing has candidates")
	}
}

// A scope below a source makes an entry of its own, with the source's mirrors; the
// answer tells of both, and still does when the rules have been handed on.
func TestResolveNestedScopes(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules:    []policy.Rule{idms("quay.io/a", "m.com/a")},
		Blocked:  []policy.Scope{{Name: "quay.io", Origin: "one"}, {Name: "quay.io/a/b", Origin: "two"}},
		Insecure: []policy.Scope{{Name: "*.io", Origin: "three"}, {Name: "other.io", Origin: "four"}},
	})
	for name, r := range map[string]*policy.Rules{"merged": r, "handed on": mustRules(t, policy.RulesConfig{}, r.Policy())} {
		res, err := r.Resolve(imageref.MustParse("quay.io/a/b/c" + sha))
		if err != nil {
			t.Fatal(err)
		}
		if res.Source != "quay.io/a/b" || res.Inherited != "quay.io/a" || res.Candidates[0].Ref.Name() != "m.com/a/b/c" {
			t.Errorf("%s: source %q inherits of %q: %v", name, res.Source, res.Inherited, res.Candidates)
		}
		names := func(scopes []policy.Scope) (s []string) {
			for _, scope := range scopes {
				s = append(s, scope.Name+" by "+scope.Origin)
			}
			return s
		}
		if got := names(res.BlockedScopes); !slices.Equal(got, []string{"quay.io/a/b by two", "quay.io by one"}) {
			t.Errorf("%s: blocked scopes %q", name, got)
		}
		if got := names(res.InsecureScopes); !slices.Equal(got, []string{"*.io by three"}) {
			t.Errorf("%s: insecure scopes %q", name, got)
		}
	}
	if res, _ := r.Resolve(imageref.MustParse("quay.io/a/x" + sha)); res.Inherited != "" || res.Source != "quay.io/a" {
		t.Errorf("quay.io/a has mirrors of its own: %+v", res)
	}
}

// A mirror without a registry is what the error is about, not what a reference
// would become.
func TestMirrorWithoutRegistry(t *testing.T) {
	for name, p := range map[string]policy.Policy{
		"mirror": policyOf(idms("quay.io/a", "mirror-a/ocp")), "location": policyOf(located("quay.io/a", "mirror-a/ocp")), "override": policyOf(override("quay.io/a", "mirror-a/ocp")),
	} {
		_, err := mustRules(t, policy.RulesConfig{}, p).Candidates(imageref.MustParse("quay.io/a/x" + sha))
		if _, ok := errors.AsType[*policy.RewriteError](err); !ok || !strings.Contains(err.Error(), "mirror-a/ocp") || !strings.Contains(err.Error(), "starts with no registry host") ||
			!strings.Contains(err.Error(), "no dot, no port") || strings.Contains(err.Error(), "docker.io") || !strings.Contains(err.Error(), "test/quay.io/a") && name != "override" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRewriteErrorNamesTheRule(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(idms("quay.io", "m.com/q")))
	_, err := r.Candidates(imageref.MustParse("quay.io:443/x" + sha))
	e, ok := errors.AsType[*policy.RewriteError](err)
	if !ok || e.Source != "quay.io" || e.Location != "m.com/q" || !slices.Equal(e.Origins, []string{"test/quay.io"}) {
		t.Fatalf("%#v", err)
	}
	for _, part := range []string{"quay.io:443/x@sha256:", "m.com/q", "test/quay.io", "port"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// TestRefusedByNodes: what nodes would not load names its entry in lenient mode.
func TestRefusedByNodes(t *testing.T) {
	digestOnly := literal(idms("q.io", "d.com"))
	digestOnly.DigestOnly = true
	for want, p := range map[string]policy.Policy{
		"cannot be passed on":      {Rules: []policy.Rule{idms("*.redhat.io", "m.com")}, Insecure: scopes("registry.redhat.io")},
		"without the scheme":       policyOf(idms("quay.io", "http://m.com")),
		"a URL is no source":       policyOf(idms("https://quay.io", "m.com")),
		"the source is empty":      policyOf(idms("/", "m.com")),
		"is empty":                 policyOf(idms("quay.io", "m.com", "/")),
		"a wildcard covers whole":  policyOf(idms("*.redhat.io:5000", "m.com")),
		"mirror-by-digest-only":    policyOf(digestOnly, idms("q.io", "m.com")),
		"both pulled from quay.io": policyOf(located("p.io", "quay.io"), never(idms("quay.io", "m.com"))),
	} {
		_, err := policy.NewRules(policy.RulesConfig{}, p)
		invalid, ok := errors.AsType[*policy.InvalidPolicyError](err)
		if !ok || !strings.Contains(err.Error(), want) || !strings.Contains(invalid.Origin, "test/") {
			t.Errorf("%v: want %q and an origin", err, want)
		}
	}
}

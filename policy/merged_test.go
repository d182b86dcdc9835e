package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

// merged prints what is handed on.
func merged(r *policy.Rules) (out []string) {
	list := func(mirrors []policy.Mirror) string {
		var out []string
		for _, m := range mirrors {
			s := m.Location
			if m.Insecure {
				s += "!"
			}
			out = append(out, s)
		}
		return strings.Join(out, ",")
	}
	for m := range r.Merged() {
		s := fmt.Sprintf("%s digest=%s tag=%s", m.Source, list(m.DigestMirrors), list(m.TagMirrors))
		if m.NeverContactSource {
			s += " never"
		}
		if m.Kind == policy.KindRewrite {
			s = "rewrite " + s
		}
		out = append(out, s)
	}
	return out
}

func TestMerged(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{
			idms("q.io/b", "z.com", "a.com"), itms("q.io/b", "t.com"), never(idms("q.io/a", "z.com", "q.io/a", "a.com")),
			any_("q.io/c", "any.com"), override("x.io", "y.io"), literal(any_("l.io", "w.com", "l.io")),
		},
		Insecure: scopes("a.com", "q.io/b/sub"), Blocked: scopes("n.io"),
	})
	want := []string{
		"l.io digest=w.com tag=w.com",
		"q.io/a digest=z.com,a.com! tag= never",
		"q.io/b digest=z.com,a.com! tag=t.com",
		"q.io/c digest=any.com tag=any.com",
		"rewrite x.io digest=y.io tag=y.io",
	}
	if got := merged(r); !slices.Equal(got, want) {
		t.Errorf("merged:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := fmt.Sprint(r.Insecure(), r.Blocked()); got != "[{a.com image/cluster <nil> false} {q.io/b/sub image/cluster <nil> false}] [{n.io image/cluster <nil> false}]" {
		t.Errorf("scopes: %s", got)
	}
	for range r.Merged() {
		break // may be left early
	}
}

// TestMergedIsStable: what is handed on, and the version, do not depend on the
// order of objects, while the order of mirrors inside each is kept.
func TestMergedIsStable(t *testing.T) {
	var policies []policy.Policy
	for i := range 12 {
		policies = append(policies, policy.Policy{
			Rules: []policy.Rule{
				idms(fmt.Sprintf("quay.io/%c", 'a'+i%5), fmt.Sprintf("z%d.com", i), fmt.Sprintf("a%d.com", i)),
				itms(fmt.Sprintf("quay.io/%c", 'a'+i%3), "t2.com", "t1.com"),
				override(fmt.Sprintf("o%d.io", i), "m.com"),
			},
			Insecure: scopes(fmt.Sprintf("a%d.com", i)), Blocked: scopes(fmt.Sprintf("b%d.com", i)),
		})
	}
	first := mustRules(t, policy.RulesConfig{}, policies...)
	if !slices.Contains(merged(first), "quay.io/d digest=z3.com,z8.com,a3.com!,a8.com! tag=") {
		t.Fatalf("merged: %s", merged(first))
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		rng.Shuffle(len(policies), func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
		for _, p := range policies {
			rng.Shuffle(len(p.Rules), func(i, j int) { p.Rules[i], p.Rules[j] = p.Rules[j], p.Rules[i] })
		}
		r := mustRules(t, policy.RulesConfig{}, policies...)
		if r.Version() != first.Version() || !slices.Equal(merged(r), merged(first)) || fmt.Sprint(r.Warnings()) != fmt.Sprint(first.Warnings()) {
			t.Fatal("another order of objects gives other rules")
		}
	}
}

// TestVersion pins one value, so that it is the same in every process and build.
func TestVersion(t *testing.T) {
	base := policyOf(idms("quay.io/a", "m.com", "n.com"))
	r := mustRules(t, policy.RulesConfig{}, base)
	if got, want := r.Version(), "c88ddebd44f4d505c2794b56742955cf"; got != want {
		t.Errorf("version %s, want %s", got, want)
	}
	elsewhere := base
	elsewhere.Rules = slices.Clone(base.Rules)
	elsewhere.Rules[0].Origin = "another file"
	elsewhere.Skipped = []policy.SkippedObject{{Kind: "ConfigMap"}}
	if got := mustRules(t, policy.RulesConfig{}, elsewhere, policyOf()).Version(); got != r.Version() {
		t.Error("the version depends on where rules come from")
	}
	versions := map[string]string{r.Version(): "base"}
	for name, other := range map[string]policy.Policy{
		"nothing":        {},
		"order":          policyOf(idms("quay.io/a", "n.com", "m.com")),
		"never":          policyOf(never(idms("quay.io/a", "m.com", "n.com"))),
		"tag":            policyOf(itms("quay.io/a", "m.com", "n.com")),
		"both":           policyOf(any_("quay.io/a", "m.com", "n.com")),
		"insecure":       {Rules: base.Rules, Insecure: scopes("m.com")},
		"blocked":        {Rules: base.Rules, Blocked: scopes("m.com")},
		"source":         policyOf(idms("quay.io/b", "m.com", "n.com")),
		"split":          policyOf(idms("quay.io/am", ".com", "n.com")),
		"override":       policyOf(override("quay.io/a", "m.com")),
		"override, more": policyOf(override("quay.io/a", "m.com"), override("quay.io/b", "m.com")),
		"located":        policyOf(located("quay.io/a", "m.com")),
	} {
		v := mustRules(t, policy.RulesConfig{}, other).Version()
		if same, ok := versions[v]; ok {
			t.Errorf("%s has the version of %s", name, same)
		}
		versions[v] = name
	}
	if v := mustRules(t, policy.RulesConfig{TagsFollowDigestRules: true}, base).Version(); v == r.Version() {
		t.Error("tags following digest rules have the same version")
	}
}

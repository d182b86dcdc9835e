package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A mirror that is named again on the same terms is one candidate with all its origins.
func TestRepeatedMirrors(t *testing.T) {
	conf := func(pull policy.PullBy, mirrors ...policy.Mirror) policy.Rule {
		return policy.Rule{Source: "q.io/a", Mirrors: mirrors, Pull: pull, ConfTable: true, Origin: "conf"}
	}
	at := func(location string) policy.Mirror { return policy.Mirror{Location: location} }
	idms, itms := from("idms", idms("q.io/a", "m.com/x", "n.com")), from("itms", itms("q.io/a", "m.com/x"))
	for _, tc := range []struct {
		name            string
		rules           []policy.Rule
		digests, byTags string
	}{
		{"the object's own rendering", []policy.Rule{conf(policy.PullDigest, at("m.com/x"), at("n.com")), idms}, "m.com/x/b[conf idms] n.com/b[conf idms] q.io/a/b[]", "q.io/a/b[]"},
		{"a table for all pulls", []policy.Rule{conf(policy.PullAny, at("m.com/x")), idms}, "m.com/x/b[conf idms] n.com/b[idms] q.io/a/b[]", "m.com/x/b[conf] q.io/a/b[]"},
		{"a table for all pulls, and both kinds", []policy.Rule{conf(policy.PullAny, at("l.com"), at("m.com/x")), idms, itms}, "l.com/b[conf] m.com/x/b[conf idms] n.com/b[idms] q.io/a/b[]", "l.com/b[conf] m.com/x/b[conf itms] q.io/a/b[]"},
		{"another kind of pull", []policy.Rule{conf(policy.PullTag, at("m.com/x")), idms}, "m.com/x/b[idms] n.com/b[idms] q.io/a/b[]", "m.com/x/b[conf] q.io/a/b[]"},
		{"other terms", []policy.Rule{conf(policy.PullDigest, policy.Mirror{Location: "m.com/x", Insecure: true}), idms}, "m.com/x/b[conf] m.com/x/b[idms] n.com/b[idms] q.io/a/b[]", "q.io/a/b[]"},
		{"in one table", []policy.Rule{conf(policy.PullAny, at("m.com/x"), at("n.com"), at("m.com/x/"))}, "m.com/x/b[conf] n.com/b[conf] q.io/a/b[]", "m.com/x/b[conf] n.com/b[conf] q.io/a/b[]"},
	} {
		r := mustRules(t, policy.RulesConfig{}, policyOf(tc.rules...))
		for pull, want := range map[string]string{sha: tc.digests, ":1": tc.byTags} {
			candidates, err := r.Candidates(imageref.MustParse("q.io/a/b" + pull))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for i, c := range candidates {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprint(c.Ref.Name(), slices.Clone(c.Origins))
			}
			if got != want {
				t.Errorf("%s, %s:\ngot  %s\nwant %s", tc.name, pull, got, want)
			}
		}
		if second := mustRules(t, policy.RulesConfig{}, r.Policy()); second.Version() != r.Version() {
			t.Errorf("%s: another version when handed on", tc.name)
		}
	}
}

package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
)

func rule(pull policy.PullBy, source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Pull: pull, Origin: fmt.Sprint("object/", pull, source), Object: &policy.Object{Kind: "object"}}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

func idms(source string, mirrors ...string) policy.Rule {
	return rule(policy.PullDigest, source, mirrors...)
}

func itms(source string, mirrors ...string) policy.Rule {
	return rule(policy.PullTag, source, mirrors...)
}

func never(r policy.Rule) policy.Rule { r.NeverContactSource = true; return r }

func dropIn(r policy.Rule) policy.Rule { r.ConfTable, r.DropIn = true, true; return r }

func rules(all ...policy.Rule) policy.Policy { return policy.Policy{Rules: all} }

func image(names ...string) (out []policy.Scope) {
	for _, n := range names {
		out = append(out, policy.Scope{Name: n, Origin: "image/cluster", Object: &policy.Object{Kind: "Image", Name: "cluster"}})
	}
	return out
}

func conf(names ...string) (out []policy.Scope) {
	for _, n := range names {
		out = append(out, policy.Scope{Name: n, Origin: "registries.conf"})
	}
	return out
}

func side(t *testing.T, policies ...policy.Policy) diff.Side {
	t.Helper()
	s, err := diff.NewSide(policy.RulesConfig{}, policies...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What nodes do about each kind of change of policies.
func TestNodes(t *testing.T) {
	none := policy.Policy{}
	first := rules(idms("quay.io/a", "m.io/a"))
	for _, tc := range []struct {
		name     string
		old, new policy.Policy
		want     diff.Action
		reason   string
	}{
		{"nothing", first, first, diff.Nothing, ""},
		{"the first IDMS", none, first, diff.Reload, "safe"},
		{"the first IDMS, with Never", none, rules(never(idms("quay.io/a", "m.io/a"))), diff.Reload, "safe"},
		{"a second, more specific one", first, rules(idms("quay.io/a", "m.io/a"), idms("quay.io/a/b", "n.io")), diff.Reload, "safe"},
		{"a wildcard", first, rules(idms("quay.io/a", "m.io/a"), idms("*.redhat.io", "m.io/r")), diff.Reload, "safe"},
		{"a mirror added", first, rules(idms("quay.io/a", "m.io/a", "n.io/a")), diff.Reload, "safe"},
		{"mirrors reordered", rules(idms("quay.io/a", "m.io/a", "n.io/a")), rules(idms("quay.io/a", "n.io/a", "m.io/a")), diff.Reload, "safe"},
		{"the same in two objects", first, rules(idms("quay.io/a", "m.io/a"), idms("quay.io/a", "m.io/a")), diff.Nothing, ""},
		{"an entry without a mirror", first, rules(idms("quay.io/a", "m.io/a"), idms("quay.io/b")), diff.Nothing, ""},
		{"Never switched on", first, rules(never(idms("quay.io/a", "m.io/a"))), diff.Drain, "blocked of registry quay.io/a has changed from false to true"},
		{"Never switched off", rules(never(idms("quay.io/a", "m.io/a"))), first, diff.Drain, "blocked of registry quay.io/a has changed from true to false"},
		{"a mirror removed", rules(idms("quay.io/a", "m.io/a", "n.io/a")), first, diff.Drain, "mirror n.io/a of registry quay.io/a has been removed"},
		{"a mirror replaced", first, rules(idms("quay.io/a", "n.io/a")), diff.Drain, "mirror m.io/a of registry quay.io/a has been removed"},
		{"an IDMS deleted", first, none, diff.Drain, "registry quay.io/a has been removed"},
		{"one source split by path", first, rules(idms("quay.io/a/b", "m.io/a/b"), idms("quay.io/a/c", "m.io/a/c")), diff.Drain, "registry quay.io/a has been removed"},
		{"an ITMS", none, rules(itms("quay.io/a", "m.io/a")), diff.Drain, "registry quay.io/a has been added with the mirror m.io/a, which is not for digests only"},
		{"an ITMS beside the IDMS", first, rules(idms("quay.io/a", "m.io/a"), itms("quay.io/a", "t.io/a")), diff.Drain, "mirror t.io/a of registry quay.io/a has been added and is not for digests only"},
		{"an ITMS with the mirror of the IDMS", first, rules(idms("quay.io/a", "m.io/a"), itms("quay.io/a", "m.io/a")), diff.Drain, "mirror m.io/a of registry quay.io/a was for digests only and is for tags only"},
		{"tags turned into digests", rules(itms("quay.io/a", "m.io/a")), first, diff.Reload, "safe"},
		{"an insecure registry", first, policy.Policy{Rules: first.Rules, Insecure: image("i.io")}, diff.Drain, "registry i.io has been added without a mirror for digests (it is insecure)"},
		{"a blocked registry", first, policy.Policy{Rules: first.Rules, Blocked: image("b.io")}, diff.Drain, "registry b.io has been added without a mirror for digests (it is blocked)"},
		{"the mirror's registry insecure", first, policy.Policy{Rules: first.Rules, Insecure: image("m.io")}, diff.Drain, "registry m.io has been added"},
		{"insecure registries reordered", policy.Policy{Insecure: image("i.io", "j.io")}, policy.Policy{Insecure: image("j.io", "i.io")}, diff.Reload, "safe"},
		{"allowed registries", none, policy.Policy{Allowed: image("quay.io")}, diff.Reload, "policy.json"},
		{"search registries of the image configuration", none, policy.Policy{Search: image("quay.io")}, diff.Reboot, "01-image-searchRegistries.conf"},
		{"a search registry at the end", policy.Policy{Search: conf("a.io")}, policy.Policy{Search: conf("a.io", "b.io")}, diff.Reload, "safe"},
		{"a search registry in front", policy.Policy{Search: conf("a.io")}, policy.Policy{Search: conf("b.io", "a.io")}, diff.Drain, "unqualified-search-registries"},
		{"a search registry less", policy.Policy{Search: conf("a.io", "b.io")}, policy.Policy{Search: conf("a.io")}, diff.Drain, "unqualified-search-registries"},
		{"a drop-in", first, rules(idms("quay.io/a", "m.io/a"), dropIn(idms("quay.io/d", "m.io/d"))), diff.Reboot, "drop-in"},
		{"behind a drop-in", rules(idms("quay.io/a", "m.io/a"), dropIn(idms("quay.io/a", "d.io"))), rules(idms("quay.io/a", "n.io/a"), dropIn(idms("quay.io/a", "d.io"))), diff.Drain, "m.io/a of registry quay.io/a has been removed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := diff.Compare(side(t, tc.old), side(t, tc.new)).Nodes
			if n.Action != tc.want || (len(n.Reasons) > 0) != (tc.reason != "") || len(n.Reasons) > 0 && !strings.Contains(n.Reasons[0], tc.reason) {
				t.Errorf("%v %q; want %v, %q", n.Action, n.Reasons, tc.want, tc.reason)
			}
		})
	}
}

// The rows of the rule that no policy of the API leads to.
func TestDisruption(t *testing.T) {
	table := func(r diff.Registry) diff.Conf { return diff.Conf{Registries: []diff.Registry{r}} }
	m := func(location, pull string) diff.Mirror { return diff.Mirror{Location: location, PullFromMirror: pull} }
	for _, tc := range []struct {
		name     string
		old, new diff.Conf
		want     diff.Action
		reason   string
	}{
		{"another location", table(diff.Registry{Prefix: "a.io", Location: "a.io"}), table(diff.Registry{Prefix: "a.io", Location: "b.io"}), diff.Drain, "location"},
		{"a prefix beside the location", table(diff.Registry{Location: "a.io"}), table(diff.Registry{Prefix: "a.io", Location: "a.io"}), diff.Drain, "prefix"},
		{"insecure switched on", table(diff.Registry{Location: "a.io"}), table(diff.Registry{Location: "a.io", Insecure: true}), diff.Drain, "insecure of registry a.io"},
		{"mirror-by-digest-only for a new table", diff.Conf{}, table(diff.Registry{Location: "a.io", MirrorByDigestOnly: true}), diff.Reload, "safe"},
		{"mirror-by-digest-only does not help a new mirror of a new table", diff.Conf{}, table(diff.Registry{Location: "a.io", MirrorByDigestOnly: true, Mirrors: []diff.Mirror{m("m.io", "")}}), diff.Drain, "not for digests only"},
		{"but one of a table that is there", table(diff.Registry{Location: "a.io", MirrorByDigestOnly: true}), table(diff.Registry{Location: "a.io", MirrorByDigestOnly: true, Mirrors: []diff.Mirror{m("m.io", "")}}), diff.Reload, "safe"},
		{"a mirror turned insecure", table(diff.Registry{Location: "a.io", Mirrors: []diff.Mirror{m("m.io", "digest-only")}}), table(diff.Registry{Location: "a.io", Mirrors: []diff.Mirror{{Location: "m.io", PullFromMirror: "digest-only", Insecure: true}}}), diff.Reload, "safe"},
		{"a new blocked table with mirrors", diff.Conf{}, table(diff.Registry{Location: "a.io", Blocked: true, Mirrors: []diff.Mirror{m("m.io", "digest-only")}}), diff.Reload, "safe"},
		{"from all pulls to tags", table(diff.Registry{Location: "a.io", Mirrors: []diff.Mirror{m("m.io", "")}}), table(diff.Registry{Location: "a.io", Mirrors: []diff.Mirror{m("m.io", "tag-only")}}), diff.Drain, "was for all pulls and is for tags only"},
		{"tables reordered", diff.Conf{Registries: []diff.Registry{{Location: "a.io"}, {Location: "b.io"}}}, diff.Conf{Registries: []diff.Registry{{Location: "b.io"}, {Location: "a.io"}}}, diff.Reload, "safe"},
	} {
		if got, reason := diff.Disruption(tc.old, tc.new); got != tc.want || !strings.Contains(reason, tc.reason) {
			t.Errorf("%s: %v, %q; want %v, %q", tc.name, got, reason, tc.want, tc.reason)
		}
	}
}

// What the machine-config operator does not render is said beside what would follow.
func TestRefused(t *testing.T) {
	n := diff.Compare(side(t), side(t, rules(idms("quay.io/a", "m.io/A")))).Nodes
	if n.Action != diff.Reload || len(n.Refused) != 1 || !strings.Contains(n.Refused[0], "m.io/A") {
		t.Errorf("%+v", n)
	}
	if n := diff.Compare(side(t, rules(idms("quay.io/a", "m.io/A"))), side(t)).Nodes; !slices.Equal(n.Refused, []string{}) {
		t.Errorf("the old policies are named: %+v", n)
	}
}

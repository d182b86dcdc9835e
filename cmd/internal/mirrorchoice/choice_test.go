package mirrorchoice

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/policytest"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const digest = "@sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		mirrors, scopes string // "-" is none
		want            string // the mode and the scopes, or what the error says
	}{
		{"-", "-", " []"},
		{"use", "-", "use []"},
		{" ignore\n", "-", "ignore []"},
		{"prefer-hosted", "quay.io/b, quay.io/a,quay.io/b,", "prefer-hosted [quay.io/a quay.io/b]"},
		{"-", "*.redhat.io", " [*.redhat.io]"},
		{"no", "-", `mirrorchain.dev/management-mirrors: "no" is none of use, ignore and prefer-hosted`},
		{"", "-", `"" is none of`},
		{"IGNORE", "-", `"IGNORE" is none of`},
		{"ignore", "quay.io", "remove one of the two"},
		{"-", ",", "mirrorchain.dev/management-mirror-scopes: it names no source"},
		{"-", "https://quay.io", `scope "https://quay.io"`},
		{"-", "quay.io/a:tag", `scope "quay.io/a:tag"`},
	} {
		annotations := map[string]string{"other": "x"}
		if tt.mirrors != "-" {
			annotations[Mirrors] = tt.mirrors
		}
		if tt.scopes != "-" {
			annotations[Scopes] = tt.scopes
		}
		c, err := Parse(annotations)
		got := fmt.Sprintf("%s %v", c.Mode, c.Scopes)
		if err != nil {
			if got = err.Error(); !c.IsDefault() {
				t.Errorf("%v: an error and %+v", annotations, c)
			}
		}
		if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
			t.Errorf("%v: got %s, want %s", annotations, got, tt.want)
		}
	}
}

func mirrored(source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Origin: "imagedigestmirrorset/x"}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

func never(r policy.Rule) policy.Rule { r.NeverContactSource = true; return r }
func tags(r policy.Rule) policy.Rule  { r.Pull = policy.PullTag; return r }

func rulesOf(t *testing.T, p policy.Policy) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hosted(source string, mirrors ...string) (s hyperv1.ImageContentSource) {
	s.Source, s.Mirrors = source, mirrors
	return s
}

// asked returns whom an image is asked of, in order; "+" are mirrors that only the tenant names.
func asked(t *testing.T, r *policy.Rules, image string) string {
	t.Helper()
	cands, err := r.Candidates(imageref.MustParse(image))
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, c := range cands {
		name := c.Ref.Name()
		if c.ByTenant {
			name += "+"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestRules(t *testing.T) {
	management := rulesOf(t, policy.Policy{
		Rules: []policy.Rule{
			mirrored("quay.io/ocp", "mgmt.io/ocp", "both.io/ocp"), tags(mirrored("quay.io/ocp", "mgmt.io/tags")),
			never(mirrored("closed.io", "mgmt.io/closed")), mirrored("closed.io/open", "mgmt.io/open"), mirrored("other.io", "mgmt.io/other"),
			{Kind: policy.KindRewrite, Source: "old.io", Mirrors: []policy.Mirror{{Location: "new.io"}}, Pull: policy.PullAny, Origin: "--registry-overrides#1"},
		},
		Blocked:  []policy.Scope{{Name: "blocked.io/x", Origin: "image/cluster"}},
		Insecure: []policy.Scope{{Name: "mgmt.io", Origin: "image/cluster"}},
	})
	sources := []hyperv1.ImageContentSource{
		hosted("quay.io/ocp", "own.io/ocp", "both.io/ocp"), hosted("closed.io/sub", "own.io/sub"), hosted("blocked.io", "own.io/blocked"),
		hosted("q.io", "own.io/q", "closed.io/q"), hosted("", "own.io"), hosted("r.io", "https://own.io"), hosted("s.io"), hosted("p.io", "closed.io:0443/p"),
	}
	for _, tt := range []struct {
		name    string
		choice  Choice
		unblock bool
		want    map[string]string
		ignored string
		blocked string
		leftOut int
	}{
		{name: "the default", want: map[string]string{
			"quay.io/ocp/a" + digest: "mgmt.io/ocp/a both.io/ocp/a quay.io/ocp/a",
		}},
		{name: "ignore", choice: Choice{Mode: Ignore}, want: map[string]string{
			"quay.io/ocp/a" + digest:  "own.io/ocp/a+ both.io/ocp/a+ quay.io/ocp/a",
			"quay.io/ocp/a:t":         "quay.io/ocp/a",
			"closed.io/a" + digest:    "",
			"closed.io/sub" + digest:  "own.io/sub+",
			"closed.io/sub/b:t":       "",
			"closed.io/open" + digest: "closed.io/open", "other.io/a" + digest: "other.io/a",
			"blocked.io/x" + digest: "own.io/blocked/x+", "blocked.io/y" + digest: "own.io/blocked/y+ blocked.io/y",
			"old.io/a:t": "new.io/a", "q.io/a" + digest: "q.io/a", "p.io/a" + digest: "p.io/a",
		}, ignored: "closed.io closed.io/open other.io quay.io/ocp", blocked: "blocked.io/x closed.io", leftOut: 5},
		{name: "ignore all", choice: Choice{Mode: Ignore}, unblock: true, want: map[string]string{
			"closed.io/a" + digest: "closed.io/a", "closed.io/sub" + digest: "own.io/sub+ closed.io/sub", "blocked.io/x:t": "blocked.io/x",
			"q.io/a" + digest: "own.io/q/a+ closed.io/q/a+ q.io/a",
		}, ignored: "closed.io closed.io/open other.io quay.io/ocp", leftOut: 3},
		{name: "prefer hosted", choice: Choice{Mode: PreferHosted}, want: map[string]string{
			"quay.io/ocp/a" + digest: "own.io/ocp/a+ both.io/ocp/a mgmt.io/ocp/a quay.io/ocp/a",
			"quay.io/ocp/a:t":        "mgmt.io/tags/a quay.io/ocp/a",
			"closed.io/sub" + digest: "own.io/sub+", "closed.io/a" + digest: "mgmt.io/closed/a", "closed.io/open" + digest: "mgmt.io/open closed.io/open",
			"other.io/a" + digest: "mgmt.io/other/a other.io/a",
		}, blocked: "blocked.io/x", leftOut: 5},
		{name: "scopes", choice: Choice{Scopes: []string{"quay.io"}}, want: map[string]string{
			"quay.io/ocp/a" + digest: "mgmt.io/ocp/a both.io/ocp/a quay.io/ocp/a", "quay.io/ocp/a:t": "mgmt.io/tags/a quay.io/ocp/a",
			"closed.io/a" + digest: "", "closed.io/open" + digest: "closed.io/open", "other.io/a" + digest: "other.io/a", "blocked.io/x:t": "",
		}, ignored: "closed.io closed.io/open other.io", blocked: "blocked.io/x closed.io"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.choice.Rules(management, sources, tt.unblock)
			if err != nil {
				t.Fatal(err)
			}
			if tt.choice.IsDefault() && got.Rules != management {
				t.Error("the default has rules of its own")
			}
			for image, want := range tt.want {
				if got := asked(t, got.Rules, image); got != want {
					t.Errorf("%s: %q, want %q", image, got, want)
				}
			}
			if s := strings.Join(got.Ignored, " "); s != tt.ignored {
				t.Errorf("ignored %q, want %q", s, tt.ignored)
			}
			if s := strings.Join(got.Blocked, " "); s != tt.blocked {
				t.Errorf("still blocked %q, want %q", s, tt.blocked)
			}
			if len(got.LeftOut) != tt.leftOut {
				t.Errorf("left out %q, want %d", got.LeftOut, tt.leftOut)
			}
		})
	}
}

// Nothing of what the management policies block is ever a candidate, whatever a tenant
// chooses and names. What has the trust of a policy is what a policy names.
func TestNothingIsOpened(t *testing.T) {
	chosen := 0
	for seed := range uint64(3000) {
		management, images := managementOf(seed)
		if management == nil {
			continue
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		var sources []hyperv1.ImageContentSource
		for _, p := range policytest.New(seed + 100_000).Policies {
			for _, r := range p.Rules {
				var mirrors []string
				for _, m := range r.Mirrors {
					mirrors = append(mirrors, m.Location)
				}
				sources = append(sources, hosted(r.Source, mirrors...))
			}
		}
		c := Choice{Mode: []Mode{Use, Ignore, PreferHosted}[rng.IntN(3)]}
		if c.Mode != Ignore && rng.IntN(2) == 0 {
			c.Scopes = []string{"q.io", "*.x.io"}[rng.IntN(2):]
		}
		got, err := c.Rules(management, sources, false)
		if err != nil {
			continue // the default stays in force
		}
		chosen++
		for _, image := range images {
			cands, err := got.Rules.Candidates(image)
			if err != nil {
				continue
			}
			for _, cand := range cands {
				if second, err := management.Resolve(cand.Ref); err == nil && slices.ContainsFunc(second.Refused, func(r policy.Refusal) bool { return r.Ref == cand.Ref && !r.Mirror }) {
					t.Fatalf("seed %d, %+v: %s of %s is blocked by the management policies", seed, c, cand.Ref, image)
				}
				if cand.Mirror && !cand.ByTenant && !inMirror(management, cand.Ref) {
					t.Fatalf("seed %d, %+v: %s of %s is of no management policy", seed, c, cand.Ref, image)
				}
			}
		}
	}
	if chosen < 300 {
		t.Errorf("only %d sets were in force", chosen)
	}
}

// inMirror reports whether an image lies in a mirror of rules.
func inMirror(rules *policy.Rules, image imageref.Ref) bool {
	for s := range rules.Merged() {
		for _, m := range slices.Concat(s.DigestMirrors, s.TagMirrors) {
			if strings.HasPrefix(image.String(), strings.TrimRight(m.Location, "/")) { // a host takes the port of the image
				return true
			}
		}
	}
	return false
}

// managementOf returns random rules as a cluster states them, and images to ask for; nil
// where nodes would refuse them.
func managementOf(seed uint64) (*policy.Rules, []imageref.Ref) {
	set := policytest.New(seed)
	var p policy.Policy
	for _, q := range set.Policies {
		for _, r := range q.Rules {
			if r.ConfTable {
				continue
			}
			r.Mirrors = slices.Clone(r.Mirrors)
			for i := range r.Mirrors {
				r.Mirrors[i].ByTenant = false
			}
			p.Rules = append(p.Rules, r)
		}
		p.Blocked, p.Insecure = append(p.Blocked, q.Blocked...), append(p.Insecure, q.Insecure...)
	}
	r, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		return nil, nil
	}
	return r, set.Images
}

// With all scopes named, or preferring nothing, lookups are those of the default.
func TestAllScopesIsTheDefault(t *testing.T) {
	compared := 0
	for seed := range uint64(1500) {
		management, images := managementOf(seed)
		if management == nil {
			continue
		}
		c := Choice{Mode: PreferHosted}
		got, err := c.Rules(management, nil, false)
		if err != nil {
			continue // beside a wildcard, whose mirrors were handed down before
		}
		for _, image := range images {
			compared++
			once := func(r *policy.Rules) string { // a source among its own mirrors may be there twice
				return strings.Join(slices.Compact(strings.Fields(asked(t, r, image.String()))), " ")
			}
			if got, want := once(got.Rules), once(management); got != want && !strings.Contains(got+want, "cannot be moved") {
				t.Fatalf("seed %d: %s: %q, want %q", seed, image, got, want)
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d compared", compared)
	}
}

// The key tells choices apart, and not what a choice does not use.
func TestKey(t *testing.T) {
	one, other := []hyperv1.ImageContentSource{hosted("a", "b", "c")}, []hyperv1.ImageContentSource{hosted("a", "b"), hosted("c")}
	keys := map[string]bool{}
	for _, k := range []string{
		Choice{}.Key(one), Choice{Scopes: []string{"a"}}.Key(one), Choice{Scopes: []string{"a", "b"}}.Key(one),
		Choice{Mode: Ignore}.Key(one), Choice{Mode: Ignore}.Key(other), Choice{Mode: PreferHosted}.Key(one), Choice{Mode: Ignore}.Key(nil),
	} {
		if keys[k] {
			t.Errorf("the key %q is there twice", k)
		}
		keys[k] = true
	}
	if (Choice{}).Key(one) != (Choice{}).Key(other) {
		t.Error("the default depends on imageContentSources")
	}
}

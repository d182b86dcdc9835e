package handover_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

func shuffled[T any](s []T) []T {
	c := slices.Clone(s)
	rand.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
	return c
}

// The same objects in any order give the same bytes, and the admin's order of
// mirrors survives.
func TestImageOverridesAreStable(t *testing.T) {
	mirrors := func(names ...string) (out []policy.Mirror) {
		for _, n := range names {
			out = append(out, policy.Mirror{Location: n})
		}
		return out
	}
	rules := []policy.Rule{
		{Source: "quay.io/x", Mirrors: mirrors("z.local/a", "m.local/a"), Origin: "idms/1"},
		{Source: "quay.io/x", Mirrors: mirrors("m.local/a", "b.local/a"), Origin: "idms/2"},
		{Source: "quay.io/x", Mirrors: mirrors("t.local/a", "z.local/a"), Pull: policy.PullTag, Origin: "itms/1"},
		{Source: "*.redhat.io", Mirrors: mirrors("w.local/r"), NeverContactSource: true, Origin: "idms/3"},
		{Source: "a.io", Mirrors: mirrors("y.local", "c.local"), Pull: policy.PullAny, Origin: "env"},
		{Kind: policy.KindRewrite, Source: "q.io", Mirrors: mirrors("r.io"), Pull: policy.PullAny, Origin: "flag"},
	}
	const want = "*.redhat.io=w.local/r,a.io=y.local,a.io=c.local," +
		"quay.io/x=z.local/a,quay.io/x=m.local/a,quay.io/x=b.local/a,quay.io/x=t.local/a"
	for range 100 {
		merged, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: shuffled(rules)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := bundleOf(t, merged).ImageOverrides()
		if err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

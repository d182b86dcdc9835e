package env_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

func load(t *testing.T, value string, set bool) (policy.Policy, error) {
	t.Helper()
	src, err := env.Factory(func(name string) (string, bool) {
		if name != "X" {
			t.Errorf("looked up %q", name)
		}
		return value, set
	}).Open(t.Context(), "X")
	if err != nil {
		t.Fatal(err)
	}
	return src.Load(t.Context())
}

func TestLoad(t *testing.T) {
	got, err := load(t, "=,z=m1,a=m2,z=m0,z=m1,b", true)
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.Rule{
		{Source: "a", Mirrors: []policy.Mirror{{Location: "m2"}}, Pull: policy.PullAny, Origin: "env:X#3"},
		{Source: "z", Mirrors: []policy.Mirror{{Location: "m1"}, {Location: "m0"}}, Pull: policy.PullAny, Origin: "env:X#2"},
	}
	if diff := cmp.Diff(want, got.Rules); diff != "" {
		t.Error(diff)
	}
	if len(got.Warnings) != 1 || got.Warnings[0].Origins[0] != "env:X#6" {
		t.Errorf("want one warning, of the skipped entry; got %v", got.Warnings)
	}
}

func TestLoadNothing(t *testing.T) {
	for _, value := range []string{"", "=", ","} {
		if got, err := load(t, value, true); err != nil || len(got.Rules)+len(got.Warnings) != 0 {
			t.Errorf("%q: got %v, %v", value, got, err)
		}
	}
	got, err := load(t, "", false)
	if err != nil || len(got.Rules) != 0 {
		t.Errorf("unset: got %v, %v", got, err)
	}
	if len(got.Warnings) != 1 || got.Warnings[0].Code != policy.WarnNoRules {
		t.Errorf("unset: want a %s warning, got %v", policy.WarnNoRules, got.Warnings)
	}
}

// What HyperShift's decoder takes and nothing matches ends no process.
func TestLoadOddPairs(t *testing.T) {
	for value, remaining := range map[string]int{"a.io=b.io, c.io=d.io": 1, " a = b ": 0, "https://quay.io=b.io,a.io=b.io": 1, "a.io=https://b.io": 0} {
		got, err := load(t, value, true)
		if err != nil || len(got.Rules) != remaining || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0].Message, "env:X#") {
			t.Errorf("%q: %d rules, warnings %v, %v", value, len(got.Rules), got.Warnings, err)
		}
		if _, err := policy.NewRules(policy.RulesConfig{}, got); err != nil {
			t.Errorf("%q: what is left is no rules: %v", value, err)
		}
	}
}

func TestOpenWithoutName(t *testing.T) {
	for _, name := range []string{"", "a=b", "A,", ",A", "A,,B"} {
		if _, err := env.Factory(nil).Open(t.Context(), name); err == nil {
			t.Errorf("%q: want an error", name)
		}
	}
}

// FuzzLoad checks that a source never panics, and fails only by saying which
// entry is wrong.
func FuzzLoad(f *testing.F) {
	f.Add("a=b,c=d,=,x")
	f.Add("a=\x00")
	f.Add(` {"kind":"MirrorchainOverrides","version":1}`)
	f.Add(`{"kind":`)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := load(t, s, true)
		if err != nil {
			if _, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok {
				t.Fatalf("%q: %v is no InvalidPolicyError", s, err)
			}
			return
		}
		if strings.HasPrefix(strings.TrimSpace(s), "{") {
			return // the other form
		}
		want := handover.DecodeImageOverrides(s)
		if len(got.Rules) > len(want) || len(got.Rules) < len(want) && len(got.Warnings) == 0 {
			t.Fatalf("%q: %d rules without a warning, want one for each of %v", s, len(got.Rules), want)
		}
		if _, err := policy.NewRules(policy.RulesConfig{}, got); err != nil {
			t.Fatalf("%q: what is left is no rules: %v", s, err)
		}
		if !slices.IsSortedFunc(got.Rules, func(a, b policy.Rule) int { return strings.Compare(a.Source, b.Source) }) {
			t.Fatalf("%q: rules are not sorted: %v", s, got.Rules)
		}
	})
}

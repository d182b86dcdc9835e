package handover_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// The table of what HyperShift's decoder was seen to do.
func TestDecodeImageOverrides(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want map[string][]string
	}{
		{"", nil},
		{"=", nil},
		{",", map[string][]string{}},
		{"=,a=b", map[string][]string{"a": {"b"}}},
		{"a", map[string][]string{}},
		{"a=", map[string][]string{}},
		{"=b", map[string][]string{}},
		{"a=b=c", map[string][]string{"a": {"b=c"}}},
		{" a = b ", map[string][]string{" a ": {" b "}}},
		{"a=b,,c=d", map[string][]string{"a": {"b"}, "c": {"d"}}},
		{"a=b,a=b", map[string][]string{"a": {"b", "b"}}},
		{"registry=override", map[string][]string{"registry": {"override"}}},
		{"r1=m1.1,r1=m1.2,r2=m2.1", map[string][]string{"r1": {"m1.1", "m1.2"}, "r2": {"m2.1"}}},
	} {
		if got := handover.DecodeImageOverrides(tc.in); !cmp.Equal(got, tc.want) || (got == nil) != (tc.want == nil) {
			t.Errorf("%q = %#v, want %#v", tc.in, got, tc.want)
		}
	}
}

func TestEncodeImageOverrides(t *testing.T) {
	for _, tc := range []struct {
		in   map[string][]string
		want string
	}{
		{nil, "="},
		{map[string][]string{}, "="},
		{map[string][]string{"a": {}}, "="},
		{map[string][]string{"a": nil, "b": {"c"}}, "b=c"},
		{map[string][]string{"": {""}}, "="},
		{map[string][]string{"": {"x"}, "a": {"", "b"}}, "a=b"},
		{map[string][]string{"z": {"1"}, "a": {"2"}}, "a=2,z=1"},
		// The admin's order, where HyperShift sorts.
		{map[string][]string{"cp.icr.io/cp": {"c", "a", "b"}}, "cp.icr.io/cp=c,cp.icr.io/cp=a,cp.icr.io/cp=b"},
		{map[string][]string{"*.redhat.io": {"m.local/redhat"}}, "*.redhat.io=m.local/redhat"},
	} {
		before := maps.Clone(tc.in)
		got, err := handover.EncodeImageOverrides(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("%v = %q, %v, want %q", tc.in, got, err, tc.want)
		}
		if !cmp.Equal(before, tc.in) {
			t.Errorf("it changed its argument to %v", tc.in)
		}
	}
}

func TestEncodeImageOverridesInexpressible(t *testing.T) {
	for _, m := range []map[string][]string{
		{"a,b": {"c"}}, {"a=b": {"c"}}, {"a": {"b,c"}}, {"a": {"b=c"}},
	} {
		if got, err := handover.EncodeImageOverrides(m); err == nil {
			t.Errorf("%v = %q, want an error", m, got)
		}
	}
}

func TestParseRegistryOverrides(t *testing.T) {
	rewrite := func(source, target, origin string) policy.Rule {
		return policy.Rule{
			Kind: policy.KindRewrite, Source: source, Pull: policy.PullAny, Origin: origin,
			Mirrors: []policy.Mirror{{Location: target}},
		}
	}
	for _, tc := range []struct {
		in   string
		want []policy.Rule
	}{
		{"", nil},
		{"=", nil},
		{"=x", nil},
		{"quay.io=m", []policy.Rule{rewrite("quay.io", "m", "flag#1")}},
		{"=,b=2,a=1", []policy.Rule{rewrite("b", "2", "flag#2"), rewrite("a", "1", "flag#3")}},
		{"a=b=c", []policy.Rule{rewrite("a", "b=c", "flag#1")}},
		{"a=1,b=2,a=3", []policy.Rule{rewrite("a", "3", "flag#3"), rewrite("b", "2", "flag#2")}},
	} {
		got, err := handover.ParseRegistryOverrides(tc.in, "flag")
		if err != nil {
			t.Errorf("%q: %v", tc.in, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q: %s", tc.in, diff)
		}
	}
	for _, in := range []string{"a", "a=b,c", "a=", "a=b,,c=d", "a= b"} {
		_, err := handover.ParseRegistryOverrides(in, "--registry-overrides")
		wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
		if !ok || !strings.HasPrefix(wrong.Origin, "--registry-overrides#") {
			t.Errorf("%q: got %v, want an InvalidPolicyError that names the entry", in, err)
		}
	}
}

func TestEncodeRegistryOverrides(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "="},
		{"=", "="},
		{"b=2,a=1", "a=1,b=2"},
		// Whole pairs are sorted, as HyperShift sorts them: '-' before '='.
		{"a=1,a-b=2", "a-b=2,a=1"},
		{"a.io/x=b=c", "a.io/x=b=c"},
	} {
		rules, err := handover.ParseRegistryOverrides(tc.in, "flag")
		if err != nil {
			t.Fatal(err)
		}
		mirror := policy.Rule{Source: "m.io", Mirrors: []policy.Mirror{{Location: "n.io"}}, Origin: "idms"}
		merged, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: append(rules, mirror)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := bundleOf(t, merged).RegistryOverrides()
		if err != nil || got != tc.want {
			t.Errorf("%q: got %q, %v, want %q", tc.in, got, err, tc.want)
		}
		second, err := handover.ParseRegistryOverrides(got, "flag")
		if err != nil || len(second) != len(rules) {
			t.Errorf("%q is read as %v, %v", got, second, err)
		}
	}
	for _, pair := range [][2]string{{"a,b", "c"}, {"a=b", "c"}, {"a", "b,c"}, {`a"`, "b"}, {"a", `"b`}} {
		rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{
			{Kind: policy.KindRewrite, Source: pair[0], Mirrors: []policy.Mirror{{Location: pair[1]}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bundleOf(t, rules).RegistryOverrides(); err == nil {
			t.Errorf("%q: got %q, want an error", pair, got)
		}
	}
}

// FuzzImageOverrides checks that what is read can be written and is read as the same again.
func FuzzImageOverrides(f *testing.F) {
	for _, s := range []string{"", "=", ",", "=,a=b", "a", "a=", "=b", "a=b=c", " a = b ", "a=b,,c=d", "a=b,a=b", "b=2,a=1,b=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := handover.DecodeImageOverrides(s)
		for source, mirrors := range m {
			if source == "" || len(mirrors) == 0 || slices.Contains(mirrors, "") {
				t.Fatalf("%q: empty half in %v", s, m)
			}
		}
		text, err := handover.EncodeImageOverrides(m)
		if err != nil {
			if !strings.Contains(strings.Join(slices.Concat(slices.Collect(maps.Values(m))...), ""), "=") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if text == "=" {
			if len(m) != 0 {
				t.Fatalf("%q: %v was lost", s, m)
			}
			return
		}
		if diff := cmp.Diff(m, handover.DecodeImageOverrides(text)); diff != "" {
			t.Fatalf("%q: %s", s, diff)
		}
	})
}

package env_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/env"
)

// The table of what HyperShift's decoder was seen to do.
func TestDecode(t *testing.T) {
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
		if got := env.Decode(tc.in); !cmp.Equal(got, tc.want) || (got == nil) != (tc.want == nil) {
			t.Errorf("Decode(%q) = %#v, want %#v", tc.in, got, tc.want)
		}
	}
}

func TestEncode(t *testing.T) {
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
		got, err := env.Encode(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("Encode(%v) = %q, %v, want %q", tc.in, got, err, tc.want)
		}
		if !cmp.Equal(before, tc.in) {
			t.Errorf("Encode changed its argument to %v", tc.in)
		}
	}
}

func TestEncodeInexpressible(t *testing.T) {
	for _, m := range []map[string][]string{
		{"a,b": {"c"}}, {"a=b": {"c"}}, {"a": {"b,c"}}, {"a": {"b=c"}},
	} {
		if got, err := env.Encode(m); err == nil {
			t.Errorf("Encode(%v) = %q, want an error", m, got)
		}
	}
}

func TestEncodeSize(t *testing.T) {
	head := len(env.Variable) + len("=a=")
	fits := map[string][]string{"a": {strings.Repeat("x", env.MaxBytes-1-head)}}
	if _, err := env.Encode(fits); err != nil {
		t.Errorf("%d bytes: %v", env.MaxBytes-1, err)
	}
	over := map[string][]string{"a": {strings.Repeat("x", env.MaxBytes-head)}}
	_, err := env.Encode(over)
	if e, ok := errors.AsType[*env.TooLargeError](err); !errors.Is(err, env.ErrTooLarge) || !ok || e.Size != env.MaxBytes {
		t.Errorf("%d bytes: got %v, want a TooLargeError", env.MaxBytes, err)
	}
}

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
	for value, left := range map[string]int{"a.io=b.io, c.io=d.io": 1, " a = b ": 0, "https://quay.io=b.io,a.io=b.io": 1, "a.io=https://b.io": 0} {
		got, err := load(t, value, true)
		if err != nil || len(got.Rules) != left || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0].Message, "env:X#") {
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

func TestRegistryOverrides(t *testing.T) {
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
		got, err := env.RegistryOverrides(tc.in, "flag")
		if err != nil {
			t.Errorf("%q: %v", tc.in, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%q: %s", tc.in, diff)
		}
	}
	for _, in := range []string{"a", "a=b,c", "a=", "a=b,,c=d", "a= b"} {
		_, err := env.RegistryOverrides(in, "--registry-overrides")
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
		rules, err := env.RegistryOverrides(tc.in, "flag")
		if err != nil {
			t.Fatal(err)
		}
		mirror := policy.Rule{Source: "m.io", Mirrors: []policy.Mirror{{Location: "n.io"}}, Origin: "idms"}
		merged, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: append(rules, mirror)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := env.EncodeRegistryOverrides(merged)
		if err != nil || got != tc.want {
			t.Errorf("%q: got %q, %v, want %q", tc.in, got, err, tc.want)
		}
		again, err := env.RegistryOverrides(got, "flag")
		if err != nil || len(again) != len(rules) {
			t.Errorf("%q is read as %v, %v", got, again, err)
		}
	}
	if got, err := env.EncodeRegistryOverrides(nil); got != "=" || err != nil {
		t.Errorf("nil rules: %q, %v", got, err)
	}
	for _, pair := range [][2]string{{"a,b", "c"}, {"a=b", "c"}, {"a", "b,c"}, {`a"`, "b"}, {"a", `"b`}} {
		rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{
			{Kind: policy.KindRewrite, Source: pair[0], Mirrors: []policy.Mirror{{Location: pair[1]}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := env.EncodeRegistryOverrides(rules); err == nil {
			t.Errorf("%q: got %q, want an error", pair, got)
		}
	}
}

// FuzzDecode checks that what Decode reads, Encode writes, and that Decode reads
// the same again.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "=", ",", "=,a=b", "a", "a=", "=b", "a=b=c", " a = b ", "a=b,,c=d", "a=b,a=b", "b=2,a=1,b=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := env.Decode(s)
		for source, mirrors := range m {
			if source == "" || len(mirrors) == 0 || slices.Contains(mirrors, "") {
				t.Fatalf("%q: empty half in %v", s, m)
			}
		}
		text, err := env.Encode(m)
		if err != nil {
			if !strings.Contains(strings.Join(slices.Concat(slices.Collect(maps.Values(m))...), ""), "=") && len(s) < env.MaxBytes/2 {
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
		if diff := cmp.Diff(m, env.Decode(text)); diff != "" {
			t.Fatalf("%q: %s", s, diff)
		}
	})
}

// FuzzLoad checks that a source never panics, and fails only by saying which
// entry is wrong.
func FuzzLoad(f *testing.F) {
	f.Add("a=b,c=d,=,x")
	f.Add("a=\x00")
	f.Add(` {"kind":"MirrorchainOverrides","version":1}`)
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
		want := env.Decode(s)
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

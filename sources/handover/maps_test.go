package handover_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

func rulesOf(t *testing.T, p policy.Policy) *policy.Rules {
	t.Helper()
	rules, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// A map says what the variable says, and comes back as it was.
func TestImageOverridesMap(t *testing.T) {
	for value, want := range map[string]map[string][]string{
		"=":                           nil,
		"=,a.io=b.io":                 {"a.io": {"b.io"}},
		"cp.io/cp=c.io,cp.io/cp=a.io": {"cp.io/cp": {"c.io", "a.io"}}, // the order of the admin
		"a.io=b.io,a.io=b.io":         {"a.io": {"b.io"}},
		"a.io=b.io,c.io=d.io":         {"a.io": {"b.io"}, "c.io": {"d.io"}},
	} {
		got := handover.ImageOverrides(rulesOf(t, handover.ParseImageOverrides("env:X", value)))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", value, got, want)
		}
		second := handover.ImageOverrides(rulesOf(t, handover.ImageOverridesPolicy("map", got)))
		if !reflect.DeepEqual(second, want) {
			t.Errorf("%s comes back as %v, want %v", value, second, want)
		}
	}
}

// One bad entry among good ones is left out and named; no size is too large.
func TestImageOverridesPolicy(t *testing.T) {
	p := handover.ImageOverridesPolicy("HyperShift", map[string][]string{"": {""}, "a.io": {"b.io", "", "not a host"}})
	if len(p.Rules) != 1 || p.Rules[0].Origin != "HyperShift#2" || len(p.Rules[0].Mirrors) != 1 {
		t.Errorf("the rules are %+v; want the one of a.io with one mirror", p.Rules)
	}
	var warnings []string
	for _, w := range p.Warnings {
		warnings = append(warnings, w.Message)
	}
	for i, part := range []string{"HyperShift#3", "HyperShift#4"} {
		if len(warnings) != 2 || !strings.Contains(warnings[i], part) {
			t.Fatalf("warnings\n%s\nwant one for #3 and one for #4", strings.Join(warnings, "\n"))
		}
	}
	many := map[string][]string{}
	for i := range 5000 {
		many[fmt.Sprintf("registry.example.com/namespace-%d", i)] = []string{fmt.Sprintf("mirror.example.com/n-%d", i)}
	}
	if got := handover.ImageOverrides(rulesOf(t, handover.ImageOverridesPolicy("map", many))); !reflect.DeepEqual(got, many) {
		t.Error("5000 sources are not what they were")
	}
}

func TestRegistryOverridesRules(t *testing.T) {
	got, err := handover.RegistryOverridesRules(map[string]string{"": "", "b.io": "m.io/b", "a.io": "m.io"}, "flag")
	if err != nil || len(got) != 2 || got[0].Source != "a.io" || got[0].Kind != policy.KindRewrite || got[1].Mirrors[0].Location != "m.io/b" {
		t.Errorf("the rules are %+v, %v", got, err)
	}
	_, err = handover.RegistryOverridesRules(map[string]string{"a.io": ""}, "flag")
	if e, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || e.Origin != "flag#1" {
		t.Errorf("an override without a target: %v", err)
	}
}

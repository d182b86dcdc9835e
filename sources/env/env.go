package env

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/overrides"
)

// Factory opens environment variables: "env:OPENSHIFT_IMG_OVERRIDES", or several
// in order of preference, "env:MIRRORCHAIN_OVERRIDES,OPENSHIFT_IMG_OVERRIDES", see
// [Preferred]. lookup is [os.LookupEnv] or a stand-in; nil is os.LookupEnv. It is
// asked on every Load.
func Factory(lookup func(string) (string, bool)) sources.Factory {
	return sources.Factory{
		Scheme: "env",
		Help: "env:NAME reads source=mirror pairs from an environment variable, as HyperShift's " + Variable + " has them, " +
			"or the document of MIRRORCHAIN_OVERRIDES; of env:NAME,NAME,... the first that is there",
		Open: func(_ context.Context, names string) (policy.OverrideSource, error) {
			return Preferred(lookup, strings.Split(names, ",")...)
		},
	}
}

// Preferred is a source that reads the first of the named variables that is set to
// more than nothing, and none of the others: what one says better must not be mixed
// with what another says of the same rules. Which one that is is found anew on every
// Load. A document that is wrong is an error, not a reason to take the next.
//
// Each may hold either form, which its content tells: a document of package
// sources/handover, or source=mirror pairs. A name that is none is a
// [*sources.SpecError].
func Preferred(lookup func(string) (string, bool), names ...string) (policy.OverrideSource, error) {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	spec := "env:" + strings.Join(names, ",")
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "=,\x00") {
			return nil, &sources.SpecError{Spec: spec, Err: errors.New("want the name of a variable, as in env:" + Variable)}
		}
	}
	return &source{spec: spec, names: slices.Clone(names), lookup: lookup}, nil
}

type source struct {
	spec   string
	names  []string
	lookup func(string) (string, bool)
}

func (s *source) Name() string { return s.spec }

// Load reads the variable that is preferred. Where none is set it is no rules and a
// warning; where those that are set are empty it is no rules.
func (s *source) Load(ctx context.Context) (policy.Policy, error) {
	if err := ctx.Err(); err != nil {
		return policy.Policy{}, err
	}
	set := false
	for _, name := range s.names {
		value, ok := s.lookup(name)
		set = set || ok
		switch {
		case value == "":
		case isDocument(value):
			return overrides.Decode("env:"+name, []byte(value))
		default:
			return loadPairs("env:"+name, value), nil
		}
	}
	if set {
		return policy.Policy{}, nil
	}
	message := fmt.Sprintf("the environment variable %s is not set: no rules come from it", s.names[0])
	if len(s.names) > 1 {
		message = fmt.Sprintf("none of the environment variables %s is set: no rules come from them", strings.Join(s.names, ", "))
	}
	return policy.Policy{Warnings: []policy.Warning{{Code: policy.WarnNoRules, Origins: []string{s.spec}, Message: message}}}, nil
}

// isDocument tells the forms apart: no source begins with a brace.
func isDocument(value string) bool {
	return strings.HasPrefix(strings.TrimLeft(value, " \t\r\n"), "{")
}

// loadPairs is one PullAny rule for each source, sorted, with its mirrors in the
// variable's order. A mirror that a source lists again is dropped: it would be a
// cycle in the merge and put the source before its mirrors. An entry that HyperShift
// skips, or takes and finds no image for, is skipped with a warning: no process is to
// end for want of one rule.
func loadPairs(name, value string) policy.Policy {
	var p policy.Policy
	skip := func(origin, why string) {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code: policy.WarnNoRules, Origins: []string{origin}, Message: fmt.Sprintf("%s: %s; it is skipped", origin, why),
		})
	}
	rules := map[string]*policy.Rule{}
	for n, pair := range pairs(value) {
		origin := fmt.Sprintf("%s#%d", name, n)
		switch {
		case pair.null():
		case !pair.ok():
			skip(origin, fmt.Sprintf("entry %q is no source=mirror pair", pair.text))
		default:
			if err := usable(pair, origin); err != nil {
				skip(origin, err.Error())
				continue
			}
			rule := rules[pair.source]
			if rule == nil {
				rule = &policy.Rule{Source: pair.source, Pull: policy.PullAny, Origin: origin}
				rules[pair.source] = rule
			}
			mirror := policy.Mirror{Location: pair.mirror}
			if !slices.Contains(rule.Mirrors, mirror) {
				rule.Mirrors = append(rule.Mirrors, mirror)
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(rules)) {
		p.Rules = append(p.Rules, *rules[source])
	}
	return p
}

// usable is why a pair can be no rule, if it cannot.
func usable(p pair, origin string) error {
	if err := check(p, "mirror"); err != nil {
		return err
	}
	rule := policy.Rule{Source: p.source, Pull: policy.PullAny, Origin: origin, Mirrors: []policy.Mirror{{Location: p.mirror}}}
	_, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{rule}})
	if invalid, ok := errors.AsType[*policy.InvalidPolicyError](err); ok {
		return invalid.Err
	}
	return err
}

// check refuses what cannot be a registry name and would only fail later, at
// each image, or never match at all. right is what the right half is called.
func check(p pair, right string) error {
	for _, half := range []struct{ what, text string }{{"source", p.source}, {right, p.mirror}} {
		if strings.ContainsFunc(half.text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
			return fmt.Errorf("%s %q holds white space or a character that no registry name has; remove it", half.what, half.text)
		}
	}
	return nil
}

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

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Factory opens environment variables: "env:OPENSHIFT_IMG_OVERRIDES". lookup is
// [os.LookupEnv] or a stand-in; nil is os.LookupEnv. It is asked on every Load.
func Factory(lookup func(string) (string, bool)) sources.Factory {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	return sources.Factory{
		Scheme: "env",
		Help:   "env:NAME reads source=mirror pairs from an environment variable, as HyperShift's " + Variable + " has them",
		Open: func(_ context.Context, name string) (provider.OverrideSource, error) {
			if name == "" || strings.ContainsAny(name, "=\x00") {
				return nil, &sources.SpecError{Spec: "env:" + name, Err: errors.New("want the name of a variable, as in env:" + Variable)}
			}
			return &source{name: name, lookup: lookup}, nil
		},
	}
}

type source struct {
	name   string
	lookup func(string) (string, bool)
}

func (s *source) Name() string { return "env:" + s.name }

// Load is one PullAny rule for each source, sorted, with its mirrors in the
// variable's order. A mirror that a source lists again is dropped: it would be a
// cycle in the merge and put the source before its mirrors. An unset variable is
// no rules and a warning; an entry that HyperShift skips is skipped with one.
func (s *source) Load(ctx context.Context) (provider.Policy, error) {
	var p provider.Policy
	if err := ctx.Err(); err != nil {
		return p, err
	}
	value, ok := s.lookup(s.name)
	if !ok {
		p.Warnings = append(p.Warnings, provider.Warning{
			Code:    provider.WarnNoRules,
			Origins: []string{s.Name()},
			Message: fmt.Sprintf("the environment variable %s is not set: no rules come from it", s.name),
		})
		return p, nil
	}

	rules := map[string]*provider.Rule{}
	for n, pair := range pairs(value) {
		origin := fmt.Sprintf("%s#%d", s.Name(), n)
		switch {
		case pair.null():
		case !pair.ok():
			p.Warnings = append(p.Warnings, provider.Warning{
				Code:    provider.WarnNoRules,
				Origins: []string{origin},
				Message: fmt.Sprintf("%s: entry %q is no source=mirror pair and is skipped", origin, pair.text),
			})
		default:
			if err := check(pair, "mirror"); err != nil {
				return provider.Policy{}, &provider.InvalidPolicyError{Origin: origin, Err: err}
			}
			rule := rules[pair.source]
			if rule == nil {
				rule = &provider.Rule{Source: pair.source, Pull: provider.PullAny, Origin: origin}
				rules[pair.source] = rule
			}
			mirror := provider.Mirror{Location: pair.mirror}
			if !slices.Contains(rule.Mirrors, mirror) {
				rule.Mirrors = append(rule.Mirrors, mirror)
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(rules)) {
		p.Rules = append(p.Rules, *rules[source])
	}
	return p, nil
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

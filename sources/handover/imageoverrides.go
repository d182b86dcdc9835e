package handover

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// none is what the encoder writes for no pairs, and what a leading entry may be.
const none = "="

// EncodeImageOverrides writes the value of [ImageOverridesVariable]: sources sorted, the
// mirrors of each in the order given, "=" when there are none. The same map gives the
// same bytes, and m is not changed. Empty sources and mirrors mean nothing and are left
// out. No size is too large here, see [Bundle].
//
// It fails for a source or mirror that the form cannot express: one that holds ',' or
// '=', for there is no escaping.
func EncodeImageOverrides(m map[string][]string) (string, error) {
	var b strings.Builder
	for _, source := range slices.Sorted(maps.Keys(m)) {
		if source == "" {
			continue
		}
		for _, mirror := range m[source] {
			if mirror == "" {
				continue
			}
			for _, s := range []string{source, mirror} {
				if strings.ContainsAny(s, ",=") {
					return "", fmt.Errorf("encoding %s: source %q with mirror %q: %q holds a ',' or '=', which the format cannot express",
						ImageOverridesVariable, source, mirror, s)
				}
			}
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(source)
			b.WriteByte('=')
			b.WriteString(mirror)
		}
	}
	if b.Len() == 0 {
		return none, nil
	}
	return b.String(), nil
}

// encodeMirrors writes the merged Mirror rules.
func encodeMirrors(rules *policy.Rules) (string, error) {
	return EncodeImageOverrides(ImageOverrides(rules))
}

// ImageOverrides returns the merged Mirror rules as the map that HyperShift keeps them in:
// each source with its digest mirrors in the order they are tried, then its tag mirrors
// that are not listed yet. It is nil if there are none. Rewrite rules are left out, for
// they travel as --registry-overrides. No size is too large. The map is the caller's own.
//
// A map has no words for NeverContactSource, for digests and tags apart, and for insecure
// or blocked registries. Give a program that is to honour those the rules, or a [Bundle].
func ImageOverrides(rules *policy.Rules) map[string][]string {
	var m map[string][]string
	for s := range rules.Merged() {
		if s.Kind != policy.KindMirror {
			continue
		}
		for _, mirrors := range [][]policy.Mirror{s.DigestMirrors, s.TagMirrors} {
			for _, mirror := range mirrors {
				if m == nil {
					m = map[string][]string{}
				}
				if !slices.Contains(m[s.Source], mirror.Location) {
					m[s.Source] = append(m[s.Source], mirror.Location)
				}
			}
		}
	}
	return m
}

// DecodeImageOverrides reads the value as HyperShift does, to the letter: entries
// without a source or a mirror are skipped, the first "=" splits, nothing is
// trimmed, nothing is dropped for being there twice. "" and "=" are nil; any
// other value is a map, perhaps empty.
func DecodeImageOverrides(value string) map[string][]string {
	if value == "" || value == none {
		return nil
	}
	m := map[string][]string{}
	for _, p := range pairs(value) {
		if p.ok() {
			m[p.source] = append(m[p.source], p.mirror)
		}
	}
	return m
}

// ParseImageOverrides reads the value as a policy: one PullAny rule for each source,
// sorted, with its mirrors in the order of the value. where names the value in origins. A mirror that a source lists again is dropped: it would be a
// cycle in the merge and put the source before its mirrors. An entry that HyperShift
// skips, or takes and finds no image for, is skipped with a warning: no process is to
// end for want of one rule.
func ParseImageOverrides(where, value string) policy.Policy {
	return mirrorPolicy(where, pairs(value))
}

// ImageOverridesPolicy reads the map that HyperShift keeps mirrors in as a policy. It is
// to [ImageOverrides] what [ParseImageOverrides] is to the value of the variable, and skips
// the same entries. Entries are numbered in the order of the sources.
func ImageOverridesPolicy(where string, m map[string][]string) policy.Policy {
	return mirrorPolicy(where, mapPairs(m))
}

func mirrorPolicy(where string, entries iter.Seq2[int, pair]) policy.Policy {
	var p policy.Policy
	skip := func(origin, why string) {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code: policy.WarnNoRules, Origins: []string{origin}, Message: fmt.Sprintf("%s: %s; it is skipped", origin, why),
		})
	}
	rules := map[string]*policy.Rule{}
	for n, pair := range entries {
		origin := fmt.Sprintf("%s#%d", where, n)
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

// usable returns why a pair can be no rule, if it cannot.
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

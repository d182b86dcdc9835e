package handover

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// ParseRegistryOverrides reads the value of --registry-overrides, "source=target"
// pairs joined with commas, into Rewrite rules in the order of the value. origin
// names the value in the rules and in errors.
//
// "=" and pairs with an empty source mean nothing, as HyperShift writes them; a
// source given again replaces the one before. An entry without "=" or without a
// target is a [*policy.InvalidPolicyError] that names it. An empty value, a
// flag not given, is no rules.
func ParseRegistryOverrides(value, origin string) ([]policy.Rule, error) {
	if value == "" {
		return nil, nil
	}
	return rewriteRules(origin, pairs(value))
}

// RegistryOverridesRules reads the map that a flag package makes of --registry-overrides,
// target by source. It is what [ParseRegistryOverrides] is for the value, with the same
// errors. Rules are in the order of the sources.
func RegistryOverridesRules(m map[string]string, origin string) ([]policy.Rule, error) {
	lists := make(map[string][]string, len(m))
	for source, target := range m {
		lists[source] = []string{target}
	}
	return rewriteRules(origin, mapPairs(lists))
}

func rewriteRules(origin string, entries iter.Seq2[int, pair]) ([]policy.Rule, error) {
	var rules []policy.Rule
	index := map[string]int{}
	for n, p := range entries {
		at := fmt.Sprintf("%s#%d", origin, n)
		switch {
		case !strings.Contains(p.text, "="):
			return nil, &policy.InvalidPolicyError{Origin: at, Err: fmt.Errorf("%q has no '='; write source=target", p.text)}
		case p.source == "":
			continue
		case p.mirror == "":
			return nil, &policy.InvalidPolicyError{Origin: at, Err: fmt.Errorf("%q has no target; write source=target", p.text)}
		}
		if err := check(p, "target"); err != nil {
			return nil, &policy.InvalidPolicyError{Origin: at, Err: err}
		}
		rule := policy.Rule{
			Kind:    policy.KindRewrite,
			Source:  p.source,
			Mirrors: []policy.Mirror{{Location: p.mirror}},
			Pull:    policy.PullAny,
			Origin:  at,
		}
		if i, known := index[p.source]; known {
			rules[i] = rule
			continue
		}
		index[p.source] = len(rules)
		rules = append(rules, rule)
	}
	return rules, nil
}

// encodeRewrites writes the Rewrite rules as the value of --registry-overrides: whole
// pairs sorted, "=" when there are none, for an empty value is one that flag packages
// refuse.
//
// It fails for a source that holds ',', '=' or '"', or a target that holds ',' or
// '"', which the form cannot express.
func encodeRewrites(rules *policy.Rules) (string, error) {
	var pairs []string
	for s := range rules.Merged() {
		if s.Kind != policy.KindRewrite {
			continue
		}
		target := s.DigestMirrors[0].Location
		if strings.ContainsAny(s.Source, ",=\"") || strings.ContainsAny(target, ",\"") {
			return "", fmt.Errorf("encoding --registry-overrides: %q to %q holds a character that the format cannot express", s.Source, target)
		}
		pairs = append(pairs, s.Source+"="+target)
	}
	if len(pairs) == 0 {
		return none, nil
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ","), nil
}

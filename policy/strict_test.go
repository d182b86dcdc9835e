package policy_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

var strict = policy.RulesConfig{Strict: true}

// TestStrict is the machine-config operator's validation: what it refuses, strict
// mode refuses and lenient mode warns of, unless nodes would not load it either.
func TestStrict(t *testing.T) {
	type test struct {
		name   string
		policy policy.Policy
		want   string // in the error; "" is none
		fatal  bool   // lenient mode refuses too
	}
	for _, test := range []test{
		{"nothing", policyOf(), "", false},
		{"sound", policyOf(idms("quay.io/a", "m.com/x", "nodot/ns"), itms("*.redhat.io", "m.com:8443")), "", false},
		{"never, stated everywhere", policyOf(never(idms("quay.io/a", "m.com")), never(itms("quay.io/a", "m.com"))), "", false},
		{"never against unset", policyOf(never(idms("quay.io/a", "m.com")), idms("quay.io/a", "n.com")), "conflicting mirrorSourcePolicy", false},
		{"never against a tag rule", policyOf(idms("quay.io/a", "m.com"), never(itms("quay.io/a", "m.com"))), "conflicting mirrorSourcePolicy", false},
		{"never against an entry without mirrors", policyOf(never(idms("quay.io/a", "m.com")), itms("quay.io/a")), "conflicting mirrorSourcePolicy", false},
		{"never on a nested source", policyOf(never(idms("quay.io/a", "m.com")), idms("quay.io/a/b", "m.com")), "", false},
		{"the source among its mirrors", policyOf(idms("quay.io/a", "m.com", "quay.io/a")), "", false},
		{"never, and the source among its mirrors", policyOf(never(idms("quay.io/a", "m.com", "quay.io/a"))), "is the source itself", false},
		{"a source with a tag", policyOf(idms("quay.io/a:t", "m.com")), `source "quay.io/a:t"`, false},
		{"a source in upper case", policyOf(idms("quay.io/A", "m.com")), `source "quay.io/A"`, false},
		{"a source with a slash at its end", policyOf(idms("quay.io/a/", "m.com")), `source "quay.io/a/"`, false},
		{"an empty source", policyOf(idms("", "m.com")), `source ""`, true},
		{"a wildcard with a path", policyOf(idms("*.redhat.io/a", "m.com")), `source "*.redhat.io/a"`, true},
		{"a mirror with a scheme", policyOf(idms("quay.io", "https://m.com")), `mirror "https://m.com"`, true},
		{"a wildcard as a mirror", policyOf(idms("quay.io", "*.m.com")), `mirror "*.m.com"`, false},
		{"an IPv6 mirror", policyOf(idms("quay.io", "[::1]:5000")), `mirror "[::1]:5000"`, false},
		{"a mirror of an entry that is dropped", policyOf(idms("m.com/A", "m.com/A")), `mirror "m.com/A"`, false},
		{"a scope with a star inside", policy.Policy{Blocked: scopes("a.*.com")}, "no scope", false},
		{"a wildcard scope with a port", policy.Policy{Insecure: scopes("*.a.com:5000")}, "no scope", true},
		{"an empty scope", policy.Policy{Insecure: scopes("")}, "no scope", true},
		{"an odd scope without a star", policy.Policy{Insecure: scopes("quay.io/A")}, "", false},
		{"tables are not the API's", policyOf(literal(any_("quay.io/A", "m.com/B")), never(literal(any_("m.com", "m.com")))), "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.NewRules(strict, test.policy)
			lenient, lenientErr := policy.NewRules(policy.RulesConfig{}, test.policy)
			if (lenientErr != nil) != test.fatal {
				t.Fatalf("lenient: %v", lenientErr)
			}
			if test.want == "" {
				if err != nil {
					t.Errorf("strict: %v", err)
				}
				if lenientErr == nil && len(warnings(lenient, policy.WarnStrictConflict)) > 0 {
					t.Errorf("warnings: %+v", lenient.Warnings())
				}
				return
			}
			var invalid *policy.InvalidPolicyError
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.want) || invalid.Origin == "" {
				t.Errorf("strict: %v, want %q and where it comes from", err, test.want)
			}
			if lenientErr == nil {
				if !slices.ContainsFunc(warnings(lenient, policy.WarnStrictConflict), func(w policy.Warning) bool {
					return strings.Contains(w.Message, test.want) && len(w.Origins) > 0
				}) {
					t.Errorf("lenient warnings: %+v, want %q", lenient.Warnings(), test.want)
				}
			}
		})
	}
}

// TestStrictPatterns holds the patterns of the API (openshift/api config/v1,
// types_image_digest_mirror_set.go) against strict mode.
func TestStrictPatterns(t *testing.T) {
	const host = `(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])`
	const location = `^(` + host + `(?:(?:\.` + host + `)+)?(?::[0-9]+)?)(?:(?:/[a-z0-9]+(?:(?:(?:[._]|__|[-]*)[a-z0-9]+)+)?)+)?$`
	mirror, source := regexp.MustCompile(location), regexp.MustCompile(`^\*(?:\.`+host+`)+$|`+location)
	var all func(prefix string, n int)
	all = func(s string, n int) {
		for _, pair := range []struct {
			policy policy.Policy
			want   bool
		}{
			{policyOf(idms(s, "m.com")), source.MatchString(s)},
			{policyOf(idms("quay.io", s)), mirror.MatchString(s)},
		} {
			if _, err := policy.NewRules(strict, pair.policy); (err == nil) != pair.want {
				t.Fatalf("%+v: %v, the pattern matches: %v", pair.policy.Rules, err, pair.want)
			}
		}
		if n == 0 {
			return
		}
		for _, c := range []string{"a", "A", "0", ".", ":", "/", "_", "-", "*", "@"} {
			all(s+c, n-1)
		}
	}
	for _, start := range []string{"", "a.b/", "*.a", "a:0"} {
		all(start, 3)
	}
}

func TestStrictReportsAll(t *testing.T) {
	var rules []policy.Rule
	for i := range 50 {
		rules = append(rules, idms(fmt.Sprintf("quay.io/A%d", i), "m.com"))
	}
	_, err := policy.NewRules(strict, policyOf(rules...))
	if n := strings.Count(err.Error(), "invalid policy"); n != 20 || !strings.Contains(err.Error(), "and more") {
		t.Errorf("%d errors in %v", n, err)
	}
}

// One problem of several entries is one problem that names them all, in strict mode
// and in the warning alike.
func TestStrictAgreesWithWarnings(t *testing.T) {
	named := func(origin string, r policy.Rule) policy.Rule {
		r.Origin = origin
		return r
	}
	for _, test := range []struct {
		name  string
		rules []policy.Rule
		want  string
	}{
		{"a conflict of three", []policy.Rule{named("idms", never(idms("q.io", "m.com"))), named("itms", itms("q.io", "m.com")), named("icsp", idms("q.io", "n.com"))}, "idms, itms, icsp"},
		{"one mistake twice", []policy.Rule{named("one", idms("q.io/A", "m.com")), named("two", idms("q.io/A", "m.com"))}, "one, two"},
		{"one entry twice", []policy.Rule{named("one", idms("q.io", "*.m.com", "*.m.com"))}, "one"},
	} {
		for _, follow := range []bool{false, true} {
			_, err := policy.NewRules(policy.RulesConfig{Strict: true, TagsFollowDigestRules: follow}, policyOf(test.rules...))
			invalid, ok := errors.AsType[*policy.InvalidPolicyError](err)
			if !ok || strings.Count(err.Error(), "invalid policy") != 1 || invalid.Origin != test.want {
				t.Errorf("%s: %v, want one error of %s", test.name, err, test.want)
			}
			r := mustRules(t, policy.RulesConfig{TagsFollowDigestRules: follow}, policyOf(test.rules...))
			if got := warnings(r, policy.WarnStrictConflict); len(got) != 1 || strings.Join(got[0].Origins, ", ") != test.want {
				t.Errorf("%s: %+v, want one warning of %s", test.name, got, test.want)
			}
		}
	}
}

// An error names some of very many entries, and says that there are more.
func TestStrictBounded(t *testing.T) {
	var rules []policy.Rule
	for i := range 5000 {
		r := idms("q.io/A", "m.com")
		r.Origin = fmt.Sprintf("idms/a#%d", i+1)
		rules = append(rules, r)
	}
	_, err := policy.NewRules(strict, policyOf(rules...))
	if err == nil || len(err.Error()) > 1000 || !strings.Contains(err.Error(), "idms/a#1, ") || !strings.Contains(err.Error(), "and 4980 more") {
		t.Errorf("%v", err)
	}
}

func warnings(r *policy.Rules, code string) (out []policy.Warning) {
	for _, w := range r.Warnings() {
		if w.Code == code {
			out = append(out, w)
		}
	}
	return out
}

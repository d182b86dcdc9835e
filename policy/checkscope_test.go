package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

func TestCheckScope(t *testing.T) {
	for scope, want := range map[string]string{
		"quay.io": "", "quay.io:443": "", "quay.io/ns": "", "quay.io:443/ns/a_b": "", "*.redhat.io": "", "localhost": "", "localhost:5000/a": "",
		"[::1]:5000": "", "docker.io": "", "docker.io/library/alpine": "", "192.168.0.1:5000": "",
		"docker.io/bitnami": "", // a namespace; the image of this name is in library/

		"": "empty", "a.io,b.io": "entry of its own", "a b": "entry of its own", "quay.io/a b": "entry of its own",
		"*": "wildcard", "*.": "*.HOST", "*.io:5": "*.HOST", "*.io/a": "*.HOST", "quay.*": "wildcard", "http://x.io": "scheme",
		"quay.io/A": "lower case", "quay.io:1:2": "want HOST", "quay.io:x": "want HOST", "quay.io/ns:tag": "without tag", "quay.io//a": "want HOST",
		"quay.io/ns" + sha: "without tag", "alpine": "a dot or a port", "openshift/release": "a dot or a port",
		"index.docker.io": "docker.io", "index.docker.io/x": "docker.io",

		"quay.io/": "odd: slash", "QUAY.IO": "odd: upper case", "*.IO": "odd: upper case", "QUAY.io/a": "odd: upper case",
	} {
		err := policy.CheckScope(scope)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v, want no error", scope, err)
			}
			continue
		}
		want, odd := strings.CutPrefix(want, "odd: ")
		e, ok := errors.AsType[*policy.ScopeError](err)
		if !ok || e.Scope != scope || e.Dead == odd || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q, dead: %v", scope, err, want, !odd)
		}
	}
}

// A source that no image can lie in does nothing, and somebody has to say so: the
// machine-config operator takes it.
func TestDeadSources(t *testing.T) {
	for _, test := range []struct {
		rule policy.Rule
		dead bool
	}{
		{idms("operator-framework", "localhost:5000/operator-framework"), true},
		{itms("index.docker.io/x", "m.com/x"), true},
		{any_("nodot/ns", "m.com/x"), true},
		{override("alpine", "m.com/alpine"), true},
		{override("openshift/release", "m.com/release"), true},
		{override("quay", "m.com"), true},
		{idms("quay.io/operator-framework", "m.com/x"), false},
		{idms("docker.io/bitnami", "m.com/x"), false},
		{idms("localhost", "m.com/x"), false},
		{override("quay.io/a:tag", "m.com/x"), false},
		{override("quay.io", "m.com"), false},
		{override("docker.io/library/alpine", "m.com/alpine"), false},
	} {
		r := mustRules(t, policy.RulesConfig{}, policyOf(test.rule))
		got := warnings(r, policy.WarnDeadScope)
		if test.dead != (len(got) == 1) {
			t.Errorf("%s: %+v, want it dead: %v", test.rule.Source, got, test.dead)
			continue
		}
		if test.dead && (!got[0].IsGeneral() || !strings.Contains(got[0].Message, `"`+test.rule.Source+`"`) || got[0].Origins[0] != test.rule.Origin) {
			t.Errorf("%s: %+v", test.rule.Source, got[0])
		}
		if second := warnings(mustRules(t, policy.RulesConfig{}, r.Policy()), policy.WarnDeadScope); len(second) > 0 {
			t.Errorf("%s, handed on: %+v", test.rule.Source, second)
		}
	}
}

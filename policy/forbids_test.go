package policy_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

func TestForbids(t *testing.T) {
	never := any_("never.test/org", "mirror.test/org")
	never.NeverContactSource = true
	var scopes []policy.Scope
	for _, s := range []string{"whole.test", "part.test/org/a", "port.test:5000", "tls.test:443/a", "*.wild.test", "docker.io/evil", "open.test"} {
		scopes = append(scopes, policy.Scope{Name: s, Origin: "o"})
	}
	open := idms("reopened.test", "mirror.test")
	open.NeverContactSource = true
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{never, open, idms("reopened.test/org", "mirror.test/org")}, Blocked: scopes,
	})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("/x", 1000)
	for _, tt := range []struct{ to, from, by string }{
		{"https://other.test/v2/a/blobs/x", "", ""},
		{"https://whole.test/", "", "whole.test"},
		{"https://whole.test:8443/x", "", "whole.test"},
		{"https://WHOLE.test./x", "", "whole.test"},
		{"http://whole.test:80/v2/a/manifests/x", "", "whole.test"},
		{"https://part.test/v2/org/a/blobs/x", "", "part.test/org/a"},
		{"https://part.test:443/v2/org/a/sub/blobs/x", "", "part.test/org/a"},
		{"https://part.test/v2/org%2Fa/blobs/x", "", "part.test/org/a"},
		{"https://part.test/v2/org/b/../a/blobs/x", "part.test", "part.test/org/a"},
		{"https://part.test/v2/org/a" + long + "/blobs/x", "part.test", "part.test/org/a"},
		{"https://part.test/v2/org/ab/blobs/x", "", ""},
		{"https://part.test/v2//org/b/blobs/x", "", "part.test/org/a"},
		{"https://part.test/token", "", "part.test/org/a"},
		{"https://part.test/v2/auth", "other.test", "part.test/org/a"},
		{"https://part.test:443/v2/auth", "part.test", ""},
		{"https://port.test:5000/", "", "port.test:5000"},
		{"https://port.test/", "", ""},
		{"https://tls.test/v2/a/blobs/x", "", "tls.test:443/a"},
		{"https://tls.test/token", "", "tls.test:443/a"},
		{"https://a.b.wild.test/x", "", "*.wild.test"},
		{"https://wild.test/x", "", ""},
		{"https://registry-1.docker.io/v2/evil/x/blobs/x", "", "docker.io/evil"},
		{"https://auth.docker.io/token", "", ""},
		{"https://never.test/v2/org/x/blobs/x", "", "never.test/org"},
		{"https://never.test/token", "", "never.test/org"},
		{"https://reopened.test/v2/org/x/blobs/x", "", ""},
		{"https://reopened.test:443/v2/org/x/blobs/x", "", ""},
		{"https://reopened.test/v2/auth", "reopened.test", ""},
		{"https://reopened.test/v2/a/x/blobs/x", "reopened.test", "reopened.test"},
		{"https://" + strings.Repeat("a", 5000) + "/x", "", ""},
	} {
		u, err := url.Parse(tt.to)
		if err != nil {
			t.Fatal(err)
		}
		by, ok := rules.Forbids(u, tt.from)
		if by.Name != tt.by || ok != (tt.by != "") {
			t.Errorf("%.60s from %q: %v %q, want %q", tt.to, tt.from, ok, by.Name, tt.by)
		}
		for _, none := range []*policy.Rules{nil, new(policy.Rules)} {
			if _, ok := none.Forbids(u, ""); ok {
				t.Errorf("no rules forbid %s", u)
			}
		}
	}
}

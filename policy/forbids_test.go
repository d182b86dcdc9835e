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
	for _, s := range []string{
		"whole.test", "part.test/org/a", "port.test:5000", "tls.test:443/a", "*.wild.test", "docker.io/evil", "open.test",
		"UPPER.test/org", "dotted.test./org", "zeros.test:05000", "192.0.2.7", "[2001:DB8:0::1]:5000", "registry-1.docker.io/worse",
	} {
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

		// However the host is written, on either side.
		{"https://whole.test:0443/token", "", "whole.test"},
		{"https://whole.test:000443/token", "", "whole.test"},
		{"https://whole.test:/token", "", "whole.test"},
		{"https://Whole.Test.:0443/v2/a/blobs/x", "", "whole.test"},
		{"https://PART.test:0443/v2/org/a/blobs/x", "", "part.test/org/a"},
		{"https://PART.test:0443/v2/org/b/blobs/x", "", ""},
		{"https://port.test:05000/", "", "port.test:5000"},
		{"https://upper.test/v2/org/x/blobs/x", "", "UPPER.test/org"},
		{"https://upper.test/token", "", "UPPER.test/org"},
		{"https://upper.test/v2/other/blobs/x", "", ""},
		{"https://dotted.test/v2/org/x/blobs/x", "", "dotted.test./org"},
		{"https://zeros.test:5000/token", "", "zeros.test:05000"},
		{"https://zeros.test/token", "", ""},
		{"https://192.0.2.7:443/token", "", "192.0.2.7"},
		{"https://[::ffff:192.0.2.7]/token", "", "192.0.2.7"},
		{"https://[::FFFF:c000:0207]:0443/v2/a/blobs/x", "", "192.0.2.7"},
		{"https://[::ffff:192.0.2.7%25eth0]/token", "", "192.0.2.7"},
		{"https://[64:ff9b::192.0.2.7]/token", "", "192.0.2.7"},
		{"https://192.0.2.8/token", "", ""},
		{"https://[2001:db8::0001]:5000/token", "", "[2001:DB8:0::1]:5000"},
		{"https://[2001:db8::1%25eth0]:5000/token", "", "[2001:DB8:0::1]:5000"},
		{"https://[2001:db8::1]/token", "", ""},
		{"https://docker.io/v2/worse/x/blobs/x", "", "registry-1.docker.io/worse"},
		{"https://INDEX.docker.io/v2/worse/x/blobs/x", "", "registry-1.docker.io/worse"},
		{"https://A.B.Wild.Test:0443/x", "", "*.wild.test"},
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

func TestInsecureHost(t *testing.T) {
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Insecure: []policy.Scope{
		{Name: "realm.test"}, {Name: "port.test:5000"}, {Name: "part.test/org"}, {Name: "*.wild.test"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"realm.test": true, "REALM.test": true, "realm.test:8443": true, "port.test:5000": true, "port.test": false,
		"part.test": false, "a.wild.test": true, "wild.test": false, "other.test": false, "": false, strings.Repeat("a", 5000): false,
	} {
		if got := rules.InsecureHost(host); got != want {
			t.Errorf("%.40s: %v", host, got)
		}
	}
	if new(policy.Rules).InsecureHost("realm.test") {
		t.Error("no rules call a host insecure")
	}
}

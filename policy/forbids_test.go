package policy_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
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

// What a tenant names is judged before there is an image.
func TestForbidsLocation(t *testing.T) {
	closed, wild := idms("closed.test", "mirror.test"), idms("*.wild.test", "mirror.test")
	closed.NeverContactSource, wild.NeverContactSource = true, true
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{
		Rules:   []policy.Rule{closed, wild, idms("closed.test/open", "mirror.test"), idms("part.test", "mirror.test")},
		Blocked: []policy.Scope{{Name: "part.test/org", Origin: "o"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{
		"": "", "other.test": "", "other.test/org": "",
		"closed.test": "closed.test", "closed.test/": "closed.test", "closed.test/x/y": "closed.test", "CLOSED.test./x": "closed.test", "closed.test:0443/x": "closed.test",
		"closed.test/open": "", "closed.test/open/x": "", "closed.test:443/open/x": "closed.test", // with a port only the host matches
		"part.test": "", "part.test/org": "part.test/org", "part.test/organ": "", "part.test:443/org/x": "part.test/org",
		"a.wild.test": "*.wild.test", "*.wild.test": "*.wild.test", "*.a.wild.test": "*.wild.test", "*.test": "",
	} {
		by, forbidden := rules.ForbidsLocation(location)
		if by.Name != want || forbidden != (want != "") {
			t.Errorf("%q: by %q (%t), want %q", location, by.Name, forbidden, want)
		}
	}
	if _, forbidden := new(policy.Rules).ForbidsLocation("closed.test"); forbidden {
		t.Error("no rules forbid something")
	}
}

// A mirror that only a tenant names says so, also after it was handed on; one that somebody
// else names as well does not.
func TestByTenant(t *testing.T) {
	tenant := idms("q.io", "t.com/a", "m.com/a")
	for i := range tenant.Mirrors {
		tenant.Mirrors[i].ByTenant = true
	}
	r := mustRules(t, policy.RulesConfig{}, policyOf(tenant), policyOf(idms("q.io", "m.com/a")))
	for _, r := range []*policy.Rules{r, mustRules(t, policy.RulesConfig{}, r.Policy())} {
		got, err := r.Candidates(imageref.MustParse("q.io/x" + sha))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || !got[0].ByTenant || got[1].ByTenant || got[2].ByTenant {
			t.Errorf("got %+v, want t.com by the tenant, m.com and the source not", got)
		}
	}
	for i := range tenant.Mirrors {
		tenant.Mirrors[i].ByTenant = false
	}
	if r.Version() == mustRules(t, policy.RulesConfig{}, policyOf(tenant), policyOf(idms("q.io", "m.com/a"))).Version() {
		t.Error("the version does not tell whose a mirror is")
	}
}

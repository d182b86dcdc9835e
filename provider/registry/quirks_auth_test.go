package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func unaskedBasic(t *testing.T) {
	for _, status := range []int{400, 403} {
		reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, BasicStatus: status}}, password)
		// With Basic, without, the token, and what is wanted.
		lookups(t, reg, open(t, reg), req, 5, 2)
	}
}

// What refuses Basic and has no better answer without it is believed, and not asked
// twice again.
func unaskedBasicDenied(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{
		Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "alice", Password: secretPassword, Repositories: []string{"other"}}},
	}}, password)
	p := open(t, reg)
	for _, want := range []int{2, 1} {
		reg.ResetLog()
		_, err := p.Lookup(t.Context(), req)
		wantError(t, err, provider.ClassUnauthorized, "requested access to the resource is denied")
		if n := reg.Count(); n != want {
			t.Errorf("%d requests, want %d: %s", n, want, paths(reg))
		}
	}
	// And one that lets everybody read, but nobody who says who he is.
	open403, req := quirky(t, testregistry.Config{}, password)
	open403.Fail(testregistry.Match{If: testregistry.Request.Authorized}, testregistry.Status(403))
	lookups(t, open403, open(t, open403), req, 3, 2)
}

func expiredToken(t *testing.T) {
	for _, status := range []int{400, 403} {
		reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenStatus: status}}, password)
		p := open(t, reg)
		lookups(t, reg, p, req, 4, 2)
		reg.ExpireTokens()
		lookups(t, reg, p, req, 4, 2)
	}
}

func challengeScope(t *testing.T) {
	const upstream = "library/release"
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{
		Scheme: testregistry.Bearer, ScopeCounts: true,
		Scope: func(string) string { return "repository:" + upstream + ":pull" },
		Users: []testregistry.User{{Name: "alice", Password: secretPassword, Repositories: []string{upstream}}},
	}}, password)
	p := open(t, reg)
	lookups(t, reg, p, req, 4, 2)
	// Of another repository the registry is known and the scope is not: the guess, the
	// challenge, and then as above. Afterwards the scope is remembered with the token.
	other := at(t, reg.ByDigest("ocp/other", reg.Push("ocp/other", "", small(t))), password)
	lookups(t, reg, p, other, 5, 2)
	reg.ExpireTokens()
	lookups(t, reg, p, other, 4, 2)

	// The realm refuses the guess itself.
	strict, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{
		Scheme: testregistry.Bearer, ScopeCounts: true, Scope: func(string) string { return "repository:" + upstream + ":pull" },
	}}, password)
	strict.Fail(testregistry.Match{Kind: testregistry.Token, If: func(q testregistry.Request) bool {
		return !strings.Contains(q.Query.Get("scope"), upstream)
	}}, testregistry.Status(403))
	p = open(t, strict)
	lookups(t, strict, p, req, 4)
	lookups(t, strict, p, at(t, strict.ByDigest("ocp/other", strict.Push("ocp/other", "", small(t))), password), 5)
}

func placeholderScope(t *testing.T) {
	for _, pingOnly := range []bool{false, true} {
		reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{
			Scheme: testregistry.Bearer, PingOnly: pingOnly, Scope: func(string) string { return "repository:user/image:pull" },
		}}, password)
		first := 6 // 401, the token of the example, 401, that of the guess, and what is wanted
		if pingOnly {
			first = 5 // 401, /v2/, the token, and what is wanted
		}
		lookups(t, reg, open(t, reg), req, first, 2)
	}
}

func basicForToken(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, BasicForTokens: true}}, password)
	p := open(t, reg)
	lookups(t, reg, p, req, 4, 2)
	reg.ExpireTokens()
	lookups(t, reg, p, req, 5, 2)
}

func pingChallenge(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, PingOnly: true}}, password)
	p := open(t, reg)
	lookups(t, reg, p, req, 5, 2)
	reg.ExpireTokens()
	lookups(t, reg, p, req, 4, 2)
	// One that has no challenge anywhere is asked for it and believed.
	none, req := quirky(t, testregistry.Config{}, password)
	none.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Bare(401))
	_, err := open(t, none).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassUnauthorized, "401 without a challenge")
	if n := none.Count(testregistry.Match{Kind: testregistry.Ping}); n != 1 {
		t.Errorf("%d pings", n)
	}
}

func hiddenAsNotFound(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, PingOnly: true, HiddenStatus: 404}}, password)
	lookups(t, reg, open(t, reg), req, 5, 2)
	// What is not there is not there: /v2/ is asked once, and not by who has nothing to say.
	none, req := quirky(t, testregistry.Config{}, password)
	none.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Status(404))
	p := open(t, none)
	for range 2 {
		_, err := p.Lookup(t.Context(), req)
		wantError(t, err, provider.ClassNotFound, "")
		_, err = p.Lookup(t.Context(), request(req.Image))
		wantError(t, err, provider.ClassNotFound, "")
	}
	if n := none.Count(testregistry.Match{Kind: testregistry.Ping}); n != 1 {
		t.Errorf("%d pings", n)
	}
}

func identityAndPassword(t *testing.T) {
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{alice}}})
	req := request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))
	creds, err := provider.ParseCredentials(fmt.Appendf(nil, `{"auths":{%q:{"username":"alice","password":%q,"identitytoken":%q}}}`,
		reg.Host(), secretPassword, secretIdentity))
	if err != nil {
		t.Fatal(err)
	}
	req.Credentials = creds
	lookups(t, reg, open(t, reg), req, 3, 2)
}

func oddEntry(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Basic}}, provider.Credential{})
	parse := func(entry string) provider.Credentials {
		creds, err := provider.ParseCredentials(fmt.Appendf(nil, `{"auths":{"*.example.com":{"auth":"eDp5"},"other.test":{"auth":"!"},%q:%s}}`, reg.Host(), entry))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(creds.Warnings()); n < 2 {
			t.Errorf("%d warnings", n)
		}
		return creds
	}
	req.Credentials = parse(fmt.Sprintf(`{"username":"alice","password":%q}`, secretPassword))
	lookups(t, reg, open(t, reg), req, 2)
	req.Credentials = parse(`{"auth":"no base64"}`)
	_, err := open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassUnauthorized, "not base64")
}

func realmRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		for _, cred := range []provider.Credential{password, provider.NewIdentityToken(secretIdentity)} {
			reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}}, cred)
			reg.Inject(testregistry.Fault{Match: tokens, Times: 1, Action: testregistry.RedirectWith(status, "/moved/token")})
			lookups(t, reg, open(t, reg), req, 5, 2)
		}
	}
	// To another host it is refused, and that one gets nothing.
	evil := start(t, testregistry.Config{})
	for _, to := range []string{evil.URL() + "/token", "http://plain.invalid/token"} {
		reg, req := quirky(t, testregistry.Config{CA: evil.CA(), Auth: testregistry.Auth{Scheme: testregistry.Bearer}}, password)
		reg.Fail(tokens, testregistry.RedirectWith(301, to))
		_, err := open(t, reg).Lookup(t.Context(), req)
		wantError(t, err, provider.ClassUnauthorized, "the token realm redirects to "+strings.TrimSuffix(to, "/token"))
	}
	if n := evil.Count(); n != 0 {
		t.Errorf("another host got %d requests", n)
	}
}

func realmEscapes(t *testing.T) {
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}}, password)
	reg.SetAuth(testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}, Realm: reg.Token().URL() + "/team%2Fone/token"})
	lookups(t, reg, open(t, reg), req, 4)
	for _, q := range reg.Requests(tokens) {
		if q.EscapedPath != "/team%2Fone/token" {
			t.Errorf("the realm was asked at %s", q.EscapedPath)
		}
	}
}

func ownRedirect(t *testing.T) {
	for _, auth := range []testregistry.Auth{{Scheme: testregistry.Basic}, {Scheme: testregistry.Bearer}} {
		reg, req := quirky(t, testregistry.Config{Auth: auth}, password)
		reg.Inject(testregistry.Fault{Match: testregistry.Match{Kind: testregistry.Blob, If: testregistry.Request.Authorized}, Times: 1,
			Action: testregistry.Redirect("/v2/" + repo + "/blobs/" + small(t).Top().Digest)})
		want := 3
		if auth.Scheme == testregistry.Bearer {
			want = 5
		}
		lookups(t, reg, open(t, reg), req, want)
	}
	// A way out and back does not bring them back.
	reg, req := quirky(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Basic}}, password)
	other := start(t, testregistry.Config{CA: reg.CA()})
	home := reg.URL() + "/v2/" + repo + "/blobs/" + small(t).Top().Digest
	reg.Fail(blobs, testregistry.Redirect(other.URL()+"/x"))
	other.Fail(testregistry.Match{}, testregistry.Redirect(home))
	if _, err := open(t, reg).Lookup(t.Context(), req); err == nil {
		t.Error("no error")
	}
	for _, q := range append(other.Requests(), reg.Requests(blobs)[1:]...) {
		if q.Authorized() {
			t.Errorf("credentials went to %s%s", q.Host, q.Path)
		}
	}
}

// R12: the name of a forbidden host in any spelling.
func spelledHost(t *testing.T) {
	mirror := start(t, testregistry.Config{})
	ref := mirror.ByDigest(repo, mirror.Push(repo, "", small(t)))
	source, connections := counted(t)
	port := source[strings.LastIndexByte(source, ':')+1:]
	for _, spelled := range []string{
		"127.0.0.1:0" + port, "127.0.0.1:000" + port, "[::ffff:127.0.0.1]:" + port, "[::FFFF:7f00:1]:" + port,
		"[::ffff:127.0.0.1%25lo]:" + port, "[0:0:0:0:0:ffff:127.0.0.1]:0" + port,
	} {
		for _, scope := range []string{source, source + "/ocp"} {
			rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
				Source: scope, Mirrors: []policy.Mirror{{Location: mirror.Host() + "/ocp"}}, Pull: policy.PullAny, NeverContactSource: true,
			}}})
			if err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{"/v2/ocp/release/blobs/x", "/storage/x"} {
				undo := mirror.Fail(blobs, testregistry.Redirect("https://"+spelled+to))
				req := request(ref)
				req.Rules = rules
				_, err = open(t, mirror).Lookup(t.Context(), req)
				wantError(t, err, provider.ClassForbidden, "a redirect to")
				undo()
			}
			realm := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Realm: "https://" + spelled + "/token", Users: []testregistry.User{alice}}})
			req := at(t, realm.ByDigest(repo, realm.Push(repo, "", small(t))), password)
			req.Rules = rules
			_, err = open(t, realm).Lookup(t.Context(), req)
			wantError(t, err, provider.ClassForbidden, "a token realm at")
		}
	}
	// What only a resolver may take for an address is no host.
	for _, odd := range []string{"127.1", "0x7f000001", "2130706433", "127.0.0.01"} {
		mirror.Fail(blobs, testregistry.Redirect("https://"+odd+":"+port+"/x"))
		_, err := open(t, mirror).Lookup(t.Context(), request(ref))
		wantError(t, err, provider.ClassMalformed, "an invalid host")
		mirror.ClearFaults()
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to the forbidden source", n)
	}
}

func insecureRealm(t *testing.T) {
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	reg, req := quirky(t, testregistry.Config{CA: ca, Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true}}, password)
	reg.Token().SetCertificate(testregistry.UnknownAuthority)
	_, err = open(t, reg).Lookup(t.Context(), req)
	if e := wantError(t, err, provider.ClassTLS, "fetching a token from "+reg.Token().Addr()); !e.Elsewhere {
		t.Error("the failure is the registry's own")
	}
	// The user says so of the realm by its own name, or of all.
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Insecure: []policy.Scope{{Name: reg.Token().Addr()}}})
	if err != nil {
		t.Fatal(err)
	}
	named := req
	named.Rules = rules
	lookups(t, reg, open(t, reg), named, 4)
	lookups(t, reg, open(t, reg, func(c *registry.Config) { c.Insecure = true }), req, 4)
	for _, q := range reg.Requests(tokens) {
		if !q.Authorized() {
			t.Error("the realm got no credentials")
		}
	}
}

package registry_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// R10: a pull secret with entries for two registries and one path of each; every
// request carries what belongs to it and nothing else.
func TestCredentialsStayHome(t *testing.T) {
	bearer := testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true, Users: []testregistry.User{{Name: "alice", Password: "for-one"}}}
	basic := testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "alice", Password: "for-two"}}}
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	one := start(t, testregistry.Config{CA: ca, Auth: bearer, RedirectBlobs: true})
	two := start(t, testregistry.Config{CA: ca, Auth: basic, RedirectBlobs: true})
	three := start(t, testregistry.Config{CA: ca, Auth: basic})
	img := small(t)
	p := open(t, one)
	creds, err := provider.NewCredentials(map[string]provider.Credential{
		one.Host():            provider.NewCredential("alice", "for-one"),
		two.Host() + "/ocp":   provider.NewCredential("alice", "for-two"),
		three.Host() + "/oc":  provider.NewCredential("alice", "not-for-ocp"), // no whole component
		three.Host() + "/ocp": {},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, reg := range []*testregistry.Registry{one, two, three} {
		req := request(reg.ByDigest(repo, reg.Push(repo, "", img)))
		req.Credentials = creds
		_, err := p.Lookup(t.Context(), req)
		if (err != nil) != (reg == three) {
			t.Errorf("%s: %v", reg.Host(), err)
		}
		for _, q := range reg.Requests() {
			user, secret, ok := basicAuth(q)
			if ok && (user != "alice" || reg == one && secret != "for-one" || reg == two && secret != "for-two" || reg == three) {
				t.Errorf("%s got %q %q at %s", reg.Host(), user, secret, q.Path)
			}
			if q.Endpoint == "storage" && q.Authorized() {
				t.Errorf("%s: object storage got an Authorization header", reg.Host())
			}
		}
	}
	if n := one.Count(testregistry.Match{Kind: testregistry.Storage}) + two.Count(testregistry.Match{Kind: testregistry.Storage}); n != 2 {
		t.Errorf("%d blobs were redirected, want 2", n)
	}
	// A bearer token of one is for one: at most its own host saw it.
	for _, q := range one.Requests(tokens) {
		if q.Query.Get("service") != "testregistry" || q.Query.Get("scope") != "repository:"+repo+":pull" || q.Query.Get("account") != "alice" {
			t.Errorf("token request %v", q.Query)
		}
	}
}

func basicAuth(q testregistry.Request) (user, secret string, ok bool) {
	return (&http.Request{Header: q.Header}).BasicAuth()
}

// R10: nothing secret in an error, even where the server repeats it.
func TestErrorsTellNoSecrets(t *testing.T) {
	secrets := []string{secretPassword, url.QueryEscape(secretPassword), secretIdentity, secretRegistry, "YWxpY2U6", "token-"}
	for _, cred := range []provider.Credential{
		provider.NewCredential("alice", secretPassword), provider.NewIdentityToken(secretIdentity), provider.NewRegistryToken(secretRegistry),
	} {
		for _, scheme := range []testregistry.Scheme{testregistry.Basic, testregistry.Bearer} {
			reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: scheme, Users: []testregistry.User{alice}}, RedirectBlobs: true})
			ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
			for _, m := range []testregistry.Match{manifests, blobs, tokens, {Kind: testregistry.Storage}} {
				for _, a := range []testregistry.Action{
					testregistry.Status(403), testregistry.Status(500), testregistry.Hang(), testregistry.Reset(),
					testregistry.Redirect("https://127.0.0.1:1/x?signature=" + url.QueryEscape(secretPassword)),
				} {
					remove := reg.Fail(m, a)
					p := open(t, reg, func(c *registry.Config) { c.Timeouts.FirstByte = 50 * time.Millisecond })
					_, err := p.Lookup(t.Context(), at(t, ref, cred))
					remove()
					if err == nil {
						continue // this one asks for no token, or needs no storage
					}
					for text := range texts(err) {
						for _, s := range secrets {
							if strings.Contains(text, s) {
								t.Errorf("%v %v: %q holds %q", m.Kind, a, text, s)
							}
						}
					}
				}
			}
		}
	}
}

// A server that repeats all it was told, in its message, its challenge and where
// it redirects to, gets none of it into an error.
func TestEcho(t *testing.T) {
	for _, status := range []int{302, 400, 401, 403, 404, 429, 500} {
		for _, cred := range []provider.Credential{
			provider.NewCredential("alice", secretPassword), provider.NewIdentityToken(secretIdentity), provider.NewRegistryToken(secretRegistry),
		} {
			var srv *httptest.Server
			srv = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				all := fmt.Sprint(r.Header, r.Form)
				if user, secret, ok := r.BasicAuth(); ok {
					all += user + secret
				}
				said := strings.TrimPrefix(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "), "Bearer ")
				w.Header().Add("Www-Authenticate", said)
				w.Header().Add("Www-Authenticate", `Bearer realm="`+srv.URL+`/token"`)
				w.Header().Set("Location", "https://"+strings.TrimRight(said, "=")+".invalid/"+said)
				w.WriteHeader(status)
				_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": "DENIED", "message": all}}})
			}))
			roots := x509.NewCertPool()
			roots.AddCert(srv.Certificate())
			p := open(t, nil, func(c *registry.Config) { c.RootCAs = roots })
			ref := imageref.MustParse(strings.TrimPrefix(srv.URL, "https://") + "/ocp/release:x")
			_, err := p.Lookup(t.Context(), at(t, ref, cred))
			if err == nil {
				t.Fatal("no error")
			}
			for text := range texts(err) {
				for _, s := range []string{secretPassword, secretIdentity, secretRegistry, "YWxpY2U6"} {
					if strings.Contains(text, s) {
						t.Errorf("status %d: %q holds %q", status, text, s)
					}
				}
			}
			_ = p.Close()
			srv.Close()
		}
	}
}

// A password that happens to be a common word costs words in errors and nothing
// else: not the realm whose name has it, nor the redirect.
func TestWeakPassword(t *testing.T) {
	reg := start(t, testregistry.Config{
		Host: "localhost", RedirectBlobs: true,
		Auth: testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true, Users: []testregistry.User{{Name: "alice", Password: "local"}}},
	})
	req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), provider.NewCredential("alice", "local"))
	p := open(t, reg)
	if _, err := p.Lookup(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	reg.Storage().Down()
	_, err := p.Lookup(t.Context(), req)
	e := wantError(t, err, provider.ClassUnreachable, "withheld")
	if e.Ref != req.Image {
		t.Errorf("the error names %s", e.Ref)
	}
}

// texts returns the texts of all errors in err's tree.
func texts(err error) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var walk func(error) bool
		walk = func(err error) bool {
			if err == nil {
				return true
			}
			if !yield(fmt.Sprintf("%v %+v", err, err)) {
				return false
			}
			switch u := err.(type) {
			case interface{ Unwrap() error }:
				return walk(u.Unwrap())
			case interface{ Unwrap() []error }:
				for _, e := range u.Unwrap() {
					if !walk(e) {
						return false
					}
				}
			}
			return true
		}
		walk(err)
	}
}

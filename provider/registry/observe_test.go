package registry_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// exchanges records what Config.Observe is told.
type exchanges struct {
	mu  sync.Mutex
	all []registry.Exchange
}

func (x *exchanges) observe(c *registry.Config) {
	c.Observe = func(e registry.Exchange) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.all = append(x.all, e)
	}
}

// lines returns the exchanges without what differs from run to run.
func (x *exchanges) lines() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var s []string
	for _, e := range x.all {
		s = append(s, fmt.Sprintf("%s %s://%s%s %d %s", e.Method, e.Scheme, e.Host, e.Path, e.Status, e.Class))
	}
	return s
}

// Every exchange is told once, when it is over, with what was read.
func TestObserve(t *testing.T) {
	reg := start(t, testregistry.Config{
		RedirectBlobs: true,
		Auth:          testregistry.Auth{Scheme: testregistry.Bearer, TokenElsewhere: true, Users: []testregistry.User{alice}},
	})
	img := small(t)
	digest := reg.Push(repo, "", img)
	var seen exchanges
	p := open(t, reg, seen.observe)
	req := at(t, reg.ByDigest(repo, digest), provider.NewIdentityToken(secretIdentity))
	if _, err := p.Lookup(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	manifest := "https://" + reg.Host() + "/v2/ocp/release/manifests/" + digest
	blob := "https://" + reg.Host() + "/v2/ocp/release/blobs/" + img.Top().Digest
	want := []string{
		"GET " + manifest + " 401 unknown",
		"POST https://" + reg.Token().Addr() + " 200 unknown",
		"GET " + manifest + " 200 unknown",
		"GET " + blob + " 307 unknown",
		"GET https://" + reg.Storage().Addr() + " 200 unknown",
	}
	if got := seen.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := len(seen.all); n != reg.Count() {
		t.Errorf("%d exchanges, %d requests", n, reg.Count())
	}
	if last := seen.all[len(seen.all)-1]; last.Bytes != img.Top().Size || last.Took <= 0 {
		t.Errorf("%d bytes in %v, want %d", last.Bytes, last.Took, img.Top().Size)
	}
}

// What fails is told with its class: before an answer, and in the middle of one.
func TestObserveFailures(t *testing.T) {
	for _, tt := range []struct {
		action testregistry.Action
		status int
		class  provider.Class
		times  int
		limit  func(*registry.Config)
	}{
		{testregistry.Reset(), 0, provider.ClassUnreachable, 1, longLimits},
		{testregistry.Hang(), 0, provider.ClassTimeout, 1, shortFirstByte},
		{testregistry.ResetAfter(10), 200, provider.ClassUnreachable, 2, longLimits}, // a cut body is asked for again
		{testregistry.HangAfter(10), 200, provider.ClassTimeout, 1, shortSilence},
		{testregistry.Status(503), 503, provider.ClassUnknown, 1, longLimits},
	} {
		reg := start(t, testregistry.Config{})
		ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
		reg.Fail(manifests, tt.action)
		var seen exchanges
		if _, err := open(t, reg, tt.limit, seen.observe).Lookup(t.Context(), request(ref)); err == nil {
			t.Fatal("no error")
		}
		if len(seen.all) != tt.times || seen.all[0].Status != tt.status || seen.all[0].Class != tt.class {
			t.Errorf("%v: %+v; want %d, status %d, %s", tt.action, seen.all, tt.times, tt.status, tt.class)
		}
	}
}

// Nothing secret reaches an observer, and no query: not of a well-behaved registry
// with tokens and signed redirects, and not of a server that repeats all it was
// told in the addresses that it chooses.
func TestObserveTellsNoSecrets(t *testing.T) {
	secrets := []string{secretPassword, url.QueryEscape(secretPassword), secretIdentity, secretRegistry, "ywxpy2u6", "token-", "signature", "?"}
	check := func(t *testing.T, seen *exchanges, least int) {
		t.Helper()
		if len(seen.all) < least {
			t.Errorf("%d exchanges, want at least %d: %v", len(seen.all), least, seen.lines())
		}
		for _, e := range seen.all {
			text := strings.ToLower(fmt.Sprintf("%+v", e))
			for _, s := range secrets {
				if strings.Contains(text, strings.ToLower(s)) {
					t.Errorf("%q holds %q", text, s)
				}
			}
		}
	}
	for _, cred := range []provider.Credential{
		provider.NewCredential("alice", secretPassword), provider.NewIdentityToken(secretIdentity), provider.NewRegistryToken(secretRegistry),
	} {
		reg := start(t, testregistry.Config{RedirectBlobs: true, Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
		ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
		reg.Fail(testregistry.Match{Kind: testregistry.Storage},
			testregistry.Redirect(reg.Storage().URL()+"/signature-in-the-path?signature=1234567890"))
		var seen exchanges
		_, err := open(t, reg, seen.observe).Lookup(t.Context(), at(t, ref, cred))
		if err == nil {
			t.Error("no error")
		}
		check(t, &seen, 4)

		var srv *httptest.Server
		srv = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said := strings.TrimPrefix(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "), "Bearer ")
			if said == "" {
				_ = r.ParseForm()
				said = r.Form.Get("refresh_token")
			}
			if strings.HasPrefix(r.URL.Path, "/v2/") && said == "" {
				w.Header().Set("Www-Authenticate", `Bearer realm="`+srv.URL+`/x/signature?x=y"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Location", "https://"+strings.TrimRight(said, "=")+".invalid/"+said+"?x=y")
			w.WriteHeader(http.StatusFound)
		}))
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		var echoed exchanges
		p := open(t, nil, echoed.observe, func(c *registry.Config) { c.RootCAs = roots })
		echo := imageref.MustParse(strings.TrimPrefix(srv.URL, "https://") + "/ocp/release:x")
		if _, err := p.Lookup(t.Context(), at(t, echo, cred)); err == nil {
			t.Error("no error")
		}
		_ = p.Close()
		srv.Close()
		check(t, &echoed, 2)
	}
}

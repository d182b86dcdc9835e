package registry_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// trusting makes a provider trust servers.
func trusting(servers ...*httptest.Server) func(*registry.Config) {
	roots := x509.NewCertPool()
	for _, s := range servers {
		roots.AddCert(s.Certificate())
	}
	return func(c *registry.Config) { c.RootCAs = roots }
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

func hostOf(s *httptest.Server) string { return s.Listener.Addr().String() }

// R10: where paths of a host are of different tenants, one cannot have another's
// credentials sent to a realm of its own choice.
func TestRealmOfAnotherTenant(t *testing.T) {
	var asked, authorized atomic.Int32
	evil := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			authorized.Add(1)
		}
		fmt.Fprint(w, `{"token":"t"}`)
	})
	var direct atomic.Int32
	reg := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/team-a/") {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+hostOf(evil)+`/t",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, secret, _ := r.BasicAuth(); secret == "bob-secret" {
			direct.Add(1)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	p := open(t, nil, trusting(evil, reg))
	a := request(mustParse(t, hostOf(reg)+"/team-a/x:1"))
	for _, cred := range []provider.Credential{{}, provider.NewCredential("mallory", "own")} {
		if _, err := p.Image(t.Context(), at(t, a.Image, cred)); err == nil {
			t.Fatal("no error")
		}
	}
	before := asked.Load()
	authorized.Store(0)
	b := request(mustParse(t, hostOf(reg)+"/team-b/x:1"))
	b.Credentials = credentials(t, hostOf(reg)+"/team-b", provider.NewCredential("bob", "bob-secret"))
	_, err := p.Image(t.Context(), b)
	wantError(t, err, provider.ClassNotFound, "")
	if asked.Load() != before || authorized.Load() != 0 {
		t.Errorf("another tenant's realm was asked %d times", asked.Load()-before)
	}
	if direct.Load() != 1 {
		t.Errorf("%d requests with the credentials, want 1", direct.Load())
	}
}

// P3: with a realm on another host, a new credential costs one 401, however many
// lookups start with it at once; with a realm of the registry's own, none.
func TestNewCredential(t *testing.T) {
	const n = 20
	for _, elsewhere := range []bool{false, true} {
		reg := start(t, testregistry.Config{Auth: testregistry.Auth{
			Scheme: testregistry.Bearer, TokenElsewhere: elsewhere,
			Users: []testregistry.User{alice, {Name: "bob", Password: "builder"}},
		}})
		ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
		p := open(t, reg)
		if _, err := p.Lookup(t.Context(), at(t, ref, provider.NewCredential("alice", secretPassword))); err != nil {
			t.Fatal(err)
		}
		reg.ResetLog()
		var g errgroup.Group
		for range n {
			req := at(t, ref, provider.NewCredential("bob", "builder"))
			g.Go(func() error { _, err := p.Lookup(t.Context(), req); return err })
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		want := 2*n + 1
		if elsewhere {
			want++
		}
		if got := reg.Count(); got != want {
			t.Errorf("elsewhere %v: %d requests, want %d", elsewhere, got, want)
		}
	}
}

// What a registry asked for over TLS is not sent in clear before it has asked for
// it there.
func TestPlainUnasked(t *testing.T) {
	for _, tt := range []struct {
		scheme string
		cred   provider.Credential
	}{
		{"Basic", provider.NewCredential("bob", "bob-secret")},
		{"Bearer", provider.NewRegistryToken(secretRegistry)},
	} {
		var plain atomic.Bool
		var first atomic.Pointer[string]
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			said := r.Header.Get("Authorization")
			if r.TLS == nil {
				first.CompareAndSwap(nil, &said)
			}
			if said == "" {
				w.Header().Set("WWW-Authenticate", tt.scheme+` realm="https://nowhere.invalid/"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		})
		secure, clear := serve(t, h), httptest.NewServer(h)
		t.Cleanup(clear.Close)
		p := open(t, nil, func(c *registry.Config) {
			c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				to := secure
				if plain.Load() {
					to = clear
				}
				return (&net.Dialer{}).DialContext(ctx, network, hostOf(to))
			}
		})
		ref := mustParse(t, "r.example:5000/a/b:1")
		for _, cred := range []provider.Credential{{}, tt.cred} {
			req := at(t, ref, cred)
			req.Insecure = true
			_, _ = p.Image(t.Context(), req)
		}
		plain.Store(true)
		p.CloseIdleConnections()
		secure.CloseClientConnections()
		req := at(t, ref, tt.cred)
		req.Insecure = true
		var err error
		for range 2 { // the first may find out the hard way
			_, err = p.Image(t.Context(), req)
		}
		wantError(t, err, provider.ClassNotFound, "")
		if said := first.Load(); said == nil || *said != "" {
			t.Errorf("%s: the first request in clear carried credentials, or there was none", tt.scheme)
		}
	}
}

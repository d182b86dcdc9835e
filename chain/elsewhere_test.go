package chain_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Where a repository leads to is not held against the registry that many share: it has
// answered. What it does itself is.
func TestElsewhereIsNotHeldAgainstTheHost(t *testing.T) {
	const nowhere = "https://127.0.0.1:1/x"
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("{"))
		panic(http.ErrAbortHandler)
	}
	store := httptest.NewTLSServer(http.HandlerFunc(cut))
	defer store.Close()
	for name, tt := range map[string]struct {
		at     http.HandlerFunc
		class  provider.Class
		failed bool
	}{
		"a redirect to nowhere": {redirect(nowhere), provider.ClassUnreachable, false},
		"one to plain HTTP":     {redirect("http://127.0.0.1:1/x"), provider.ClassTLS, false},
		"one that is cut off":   {redirect(store.URL + "/x"), provider.ClassUnreachable, false},
		"a realm that is away": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+nowhere+`",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, provider.ClassUnreachable, false},
		"its own cut": {cut, provider.ClassUnreachable, true},
		"a redirect to itself that is cut": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/x") {
				cut(w, r)
				return
			}
			redirect("/x")(w, r)
		}, provider.ClassUnreachable, true},
	} {
		t.Run(name, func(t *testing.T) {
			reg := httptest.NewTLSServer(tt.at)
			defer reg.Close()
			roots := x509.NewCertPool()
			roots.AddCert(reg.Certificate())
			base, err := registry.New(registry.Config{RootCAs: roots})
			if err != nil {
				t.Fatal(err)
			}
			defer base.Close()
			h := health.New(health.Config{})
			c := newChain(t, base, newRules(t), chain.Mirrors(chain.MirrorsConfig{Health: h}), chain.Store(chain.StoreConfig{}))
			host := reg.Listener.Addr().String()
			for range 3 {
				_, err := c.Lookup(t.Context(), provider.Request{Image: imageref.MustParse(host + "/team-a/x:1")})
				if got := provider.ClassOf(err); got != tt.class {
					t.Errorf("Lookup: %s, want %s: %v", got, tt.class, err)
				}
			}
			if h.Healthy(host) == tt.failed {
				t.Errorf("failed %v, want %v: %+v", !tt.failed, tt.failed, h.Hosts())
			}
		})
	}
}

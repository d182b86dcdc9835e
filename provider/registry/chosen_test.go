package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

// What a host says that a registry chose for us is not for the registry's users.
func TestChosenHostIsNotQuoted(t *testing.T) {
	internal := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "internal: the password is hunter2")
	})
	for _, how := range []string{"redirect", "realm"} {
		reg := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if how == "redirect" {
				http.Redirect(w, r, "https://"+hostOf(internal)+"/admin", http.StatusFound)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+hostOf(internal)+`/admin"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
		p := open(t, nil, trusting(internal, reg))
		_, err := p.Image(t.Context(), request(mustParse(t, hostOf(reg)+"/a/b:1")))
		wantError(t, err, provider.ClassUnauthorized, hostOf(internal))
		for text := range texts(err) {
			if strings.Contains(text, "internal:") {
				t.Errorf("%s: %q", how, text)
			}
		}
	}
}

// An http realm is for the registry's own machine; a registry in clear must not
// have us ask other machines' http services.
func TestPlainRealmElsewhere(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = true
		fmt.Fprint(w, `{"Token":"session","token":"session"}`)
	}))
	t.Cleanup(other.Close)
	reg := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		realm := strings.Replace(hostOf(other), "127.0.0.1", "localhost", 1)
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+realm+`/meta-data"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(reg.Close)
	req := request(mustParse(t, hostOf(reg)+"/a/b:1"))
	req.Insecure = true
	_, err := open(t, nil).Image(t.Context(), req)
	wantError(t, err, provider.ClassUnauthorized, "not https")
	if asked {
		t.Error("it was asked")
	}
}

// A host name that a server made up is bounded, and fit for a terminal.
func TestOddHosts(t *testing.T) {
	for _, host := range []string{strings.Repeat("a", 50000), "\u202eevil.example", "a%e2%80%aeb", "x\u009b31m"} {
		for _, how := range []string{"redirect", "realm"} {
			reg := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if how == "redirect" {
					w.Header().Set("Location", "https://"+host+"/")
					w.WriteHeader(http.StatusFound)
					return
				}
				w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+host+`/"`)
				w.WriteHeader(http.StatusUnauthorized)
			})
			_, err := open(t, nil, trusting(reg)).Image(t.Context(), request(mustParse(t, hostOf(reg)+"/a/b:1")))
			if err == nil {
				t.Fatal("no error")
			}
			for text := range texts(err) {
				if len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("%s, %.20q: %d bytes, %+.100q", how, host, len(text), text)
				}
			}
		}
	}
}

package pki_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func config(hosts ...string) pki.Config {
	return pki.Config{Authority: "root", Name: "server", Hosts: hosts}
}

func ensure(t *testing.T, cfg pki.Config, have pki.Result, now time.Time) pki.Result {
	t.Helper()
	r, err := pki.Ensure(cfg, have.Authority, have.Serving, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func same(a, b pki.Pair) bool {
	return bytes.Equal(a.Cert, b.Cert) && bytes.Equal(a.Key, b.Key)
}

// verify checks that a client which trusts authority believes serving to be host.
func verify(t *testing.T, authority, serving pki.Pair, host string, now time.Time) {
	t.Helper()
	pair, err := tls.X509KeyPair(serving.Cert, serving.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority.Cert) {
		t.Fatal("the authority is no certificate")
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now}); err != nil {
		t.Errorf("%s: %v", host, err)
	}
}

func TestEnsure(t *testing.T) {
	cfg := config("a.svc", "a", "10.1.2.3", "a", "::1")
	first := ensure(t, cfg, pki.Result{}, start)
	for _, host := range []string{"a", "a.svc", "10.1.2.3", "::1"} {
		verify(t, first.Authority, first.Serving, host, start)
	}
	if want := start.Add((365 - 73) * day); !first.Renew.Equal(want) {
		t.Errorf("renewal at %s, want %s", first.Renew, want)
	}

	shuffled := cfg
	shuffled.Hosts = slices.Clone(cfg.Hosts)
	slices.Reverse(shuffled.Hosts)
	second := ensure(t, shuffled, first, first.Renew.Add(-time.Second))
	if !same(second.Authority, first.Authority) || !same(second.Serving, first.Serving) || !second.Renew.Equal(first.Renew) {
		t.Error("what is good was made anew")
	}

	renewed := ensure(t, cfg, first, first.Renew)
	if !same(renewed.Authority, first.Authority) || same(renewed.Serving, first.Serving) {
		t.Error("want a new certificate of the same authority")
	}
	verify(t, first.Authority, renewed.Serving, "a", first.Renew)
}

func TestOtherHosts(t *testing.T) {
	first := ensure(t, config("a"), pki.Result{}, start)
	second := ensure(t, config("a", "route.example.com"), first, start)
	if !same(second.Authority, first.Authority) {
		t.Error("the authority changed with the hosts")
	}
	verify(t, first.Authority, second.Serving, "route.example.com", start)
}

// Who trusts the old authority believes what the new one signs, until the old one
// has run out.
func TestAuthorityKeepsItsKey(t *testing.T) {
	r := ensure(t, config("a"), pki.Result{}, start)
	first := r
	for now := r.Renew; now.Before(start.Add(3650 * day)); now = r.Renew {
		r = ensure(t, config("a"), r, now)
		if !r.Renew.After(now) {
			t.Fatalf("at %s: renewal at %s, which is not later", now, r.Renew)
		}
		verify(t, r.Authority, r.Serving, "a", now)
		verify(t, first.Authority, r.Serving, "a", now)
	}
	if same(r.Authority, first.Authority) {
		t.Error("the authority was never renewed")
	}
}

func TestUnreadable(t *testing.T) {
	good := ensure(t, config("a"), pki.Result{}, start)
	other := ensure(t, config("a"), pki.Result{}, start)
	garbage := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})
	for name, have := range map[string]pki.Result{
		"no authority":       {Serving: good.Serving},
		"garbage authority":  {Authority: pki.Pair{Cert: garbage, Key: good.Authority.Key}, Serving: good.Serving},
		"authority's key":    {Authority: pki.Pair{Cert: good.Authority.Cert, Key: other.Authority.Key}, Serving: good.Serving},
		"no authority's key": {Authority: pki.Pair{Cert: good.Authority.Cert}, Serving: good.Serving},
		"a leaf for a CA":    {Authority: good.Serving, Serving: good.Serving},
		"other's serving":    {Authority: good.Authority, Serving: other.Serving},
		"serving's key":      {Authority: good.Authority, Serving: pki.Pair{Cert: good.Serving.Cert, Key: []byte("x")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := ensure(t, config("a"), have, start)
			verify(t, r.Authority, r.Serving, "a", start)
			if same(r.Serving, good.Serving) || same(r.Serving, other.Serving) {
				t.Error("what cannot be used was kept")
			}
		})
	}
	if _, err := pki.Ensure(config(), pki.Pair{}, pki.Pair{}, start); err == nil {
		t.Error("a certificate for nobody")
	}
}

// HyperShift's authority is RSA, in PKCS #1.
func TestForeignAuthority(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"},
		NotBefore: start, NotAfter: start.Add(3650 * day), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	foreign := pki.Result{Authority: pki.Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}}
	kept := ensure(t, config("a"), foreign, start)
	if !same(kept.Authority, foreign.Authority) {
		t.Error("the authority was replaced")
	}
	verify(t, foreign.Authority, kept.Serving, "a", start)
	renewed := ensure(t, config("a"), kept, start.Add(3000*day))
	verify(t, foreign.Authority, renewed.Serving, "a", start.Add(3000*day))
	if same(renewed.Authority, foreign.Authority) {
		t.Error("the authority was not renewed")
	}
}

func TestScale(t *testing.T) {
	cfg := config("a")
	cfg.Day = time.Minute
	r := ensure(t, cfg, pki.Result{}, start)
	if want := start.Add((365 - 73) * time.Minute); !r.Renew.Equal(want) {
		t.Errorf("renewal at %s, want %s", r.Renew, want)
	}
}

func TestData(t *testing.T) {
	p := pki.Pair{Cert: []byte("c"), Key: []byte("k")}
	if got := pki.FromData(p.Data()); !same(got, p) {
		t.Errorf("got %q", got)
	}
}

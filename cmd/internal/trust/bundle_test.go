package trust_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
)

// authority makes the DER of an authority of this name.
func authority(t testing.TB, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// trusted returns der as "openssl x509 -trustout" writes it.
func trusted(t testing.TB, der []byte, aux any) string {
	t.Helper()
	more, err := asn1.Marshal(aux)
	if err != nil {
		t.Fatal(err)
	}
	return block("TRUSTED CERTIFICATE", append(slices.Clone(der), more...))
}

type (
	trusts struct {
		Trust []asn1.ObjectIdentifier
	}
	rejects struct {
		Reject []asn1.ObjectIdentifier `asn1:"tag:0"`
	}
)

var (
	server = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 1}}
	email  = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 4}}
)

// What of a bundle is trusted, and what is named. p11-kit 0.24.1, which makes the trust
// of nodes, trusts the same of the same files, but for the rows that say otherwise.
func TestParseBundle(t *testing.T) {
	a, b := authority(t, "a"), authority(t, "b")
	certA, certB := block("CERTIFICATE", a), block("CERTIFICATE", b)
	// A serial number below zero: nodes take it, Go does not.
	refused := bytes.Replace(a, []byte{2, 1, 1}, []byte{2, 1, 0xff}, 1)
	indented := "  " + strings.ReplaceAll(certA, "\n", "\n  ")
	crl := block("X509 CRL", []byte("x"))
	key := block("PRIVATE KEY", []byte("x"))
	for name, c := range map[string]struct {
		bundle  string
		want    string // names of those trusted, one after another
		skipped []string
	}{
		"plain":                       {bundle: certA + certB, want: "ab"},
		"byte order mark":             {bundle: "\ufeff" + certA + certB, want: "ab"},
		"CRLF":                        {bundle: strings.ReplaceAll(certA+certB, "\n", "\r\n"), want: "ab"},
		"indentation":                 {bundle: indented + certB, want: "ab"},
		"no newline between":          {bundle: strings.TrimSpace(certA) + strings.TrimSpace(certB), want: "ab"},
		"dashes shared":               {bundle: strings.TrimSuffix(certA, "-----\n") + certB, want: "ab"},
		"no newline at the end":       {bundle: strings.TrimSpace(certA), want: "a"},
		"text on the line":            {bundle: "ours: " + certA, want: "a"},
		"comments":                    {bundle: "# a\n" + certA + "\n# b\n" + certB + "# end", want: "ab"},
		"bag attributes":              {bundle: "Bag Attributes\n    friendlyName: a\nsubject=CN = a\n\n" + certA, want: "a"},
		"headers":                     {bundle: strings.Replace(certA, "-----\n", "-----\nComment: a\n\n", 1), want: "a"},
		"one line of base64":          {bundle: "-----BEGIN CERTIFICATE-----" + base64.StdEncoding.EncodeToString(a) + "-----END CERTIFICATE-----", want: "a"},
		"X509 CERTIFICATE":            {bundle: block("X509 CERTIFICATE", a) + certB, want: "ab"}, // p11-kit: b; OpenSSL: both,
		"TRUSTED, for nothing":        {bundle: trusted(t, a, struct{}{}) + certB, want: "b", skipped: []string{"block 1 (CN=a): it is not trusted for TLS servers"}},
		"TRUSTED, for servers":        {bundle: trusted(t, a, trusts{server}) + certB, want: "ab"},
		"TRUSTED, for mail":           {bundle: trusted(t, a, trusts{email}) + certB, want: "b", skipped: []string{"block 1 (CN=a): it is not trusted for TLS servers"}},
		"TRUSTED, not for servers":    {bundle: trusted(t, a, rejects{server}) + certB, want: "b", skipped: []string{"block 1 (CN=a): it is not trusted for TLS servers"}},
		"TRUSTED, not for mail":       {bundle: trusted(t, a, rejects{email}) + certB, want: "b", skipped: []string{"block 1 (CN=a): it is not trusted for TLS servers"}},
		"TRUSTED without settings":    {bundle: block("TRUSTED CERTIFICATE", a), want: "a"},
		"a CRL and a key":             {bundle: certA + crl + key + certB, want: "ab", skipped: []string{`block 2: it is a "X509 CRL"`, "block 3: it is a PRIVATE KEY; remove it"}},
		"one that Go refuses":         {bundle: block("CERTIFICATE", refused) + certB, want: "b", skipped: []string{"block 1 (CN=a): x509: negative serial number"}}, // p11-kit: both
		"not DER":                     {bundle: certA + block("CERTIFICATE", []byte("x")) + certB, want: "ab", skipped: []string{"block 2: x509: malformed certificate"}},
		"not base64":                  {bundle: certA + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n" + certB, want: "ab", skipped: []string{"block 2: it is not base64"}},
		"cut off":                     {bundle: certA[:200] + "\n" + certB, want: "b", skipped: []string{"block 1: it has no end"}}, // p11-kit: none
		"cut off at the end":          {bundle: certB + certA[:200], want: "b", skipped: []string{"block 2: it has no end"}},
		"ends as another":             {bundle: strings.Replace(certA, "END CERTIFICATE", "END X509 CRL", 1) + certB, want: "b", skipped: []string{"block 1: it begins as CERTIFICATE and ends as another type"}}, // p11-kit: none
		"a line that is no beginning": {bundle: "-----BEGIN of our bundle\n" + certA, want: "a"},                                                                                                                  // p11-kit: none
		"empty":                       {},
		"white space":                 {bundle: " \n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := trust.ParseBundle([]byte(c.bundle))
			if err != nil {
				t.Fatal(err)
			}
			names := ""
			for _, cert := range got.Certificates {
				names += cert.Subject.CommonName
			}
			if names != c.want {
				t.Errorf("trusts %q, want %q", names, c.want)
			}
			if len(got.Skipped) != len(c.skipped) {
				t.Errorf("skipped %v, want %q", got.Skipped, c.skipped)
			}
			for i, s := range got.Skipped {
				if i < len(c.skipped) && !strings.HasPrefix(s.String(), c.skipped[i]) {
					t.Errorf("skipped %q, want %q", s, c.skipped[i])
				}
			}
			if (got.Warning() == "") != (len(c.skipped) == 0) {
				t.Errorf("warns %q", got.Warning())
			}
		})
	}
}

// A bundle that trusts nobody is an error, which says why.
func TestParseBundleNothingUsable(t *testing.T) {
	for name, c := range map[string]struct{ bundle, want string }{
		"text":        {"no certificates", "it holds no certificate; want PEM"},
		"UTF-16":      {"\xff\xfe-\x00-\x00-\x00-\x00-\x00B\x00", "it holds no certificate; want PEM"},
		"a key":       {block("PRIVATE KEY", []byte("x")), "block 1: it is a PRIVATE KEY"},
		"a cut block": {"-----BEGIN CERTIFICATE-----\nAAAA", "block 1: it has no end"},
		"not DER":     {block("CERTIFICATE", []byte("x")), "block 1: x509: malformed certificate"},
	} {
		if _, err := trust.ParseBundle([]byte(c.bundle)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestWarningIsBounded(t *testing.T) {
	b, err := trust.ParseBundle([]byte(block("CERTIFICATE", authority(t, "a")) + strings.Repeat(block("X509 CRL", []byte("x")), 500)))
	if err != nil {
		t.Fatal(err)
	}
	if w := b.Warning(); len(w) > 2000 || !strings.HasSuffix(w, "and 480 more") {
		t.Errorf("warns with %d bytes: %s", len(w), w)
	}
}

func FuzzParseBundle(f *testing.F) {
	a := authority(f, "a")
	f.Add([]byte(block("CERTIFICATE", a)))
	f.Add([]byte(trusted(f, a, rejects{email})))
	f.Add([]byte("-----BEGIN A-----\nA: b\n\nAAAA\n-----END A-----BEGIN A-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := trust.ParseBundle(data)
		if err != nil && len(b.Certificates) > 0 {
			t.Errorf("%v, although there are %d certificates", err, len(b.Certificates))
		}
		// Whatever the standard library finds is found.
		found := 0
		for rest := data; ; {
			var p *pem.Block
			if p, rest = pem.Decode(rest); p == nil {
				break
			}
			if _, err := x509.ParseCertificate(p.Bytes); err == nil && p.Type == "CERTIFICATE" {
				found++
			}
		}
		if len(b.Certificates) < found {
			t.Errorf("found %d certificates, encoding/pem %d", len(b.Certificates), found)
		}
	})
}

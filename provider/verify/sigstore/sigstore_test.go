package sigstore_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

const (
	digest   = "sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	identity = "quay.io/ocp/release:4.99.0"
)

var image = imageref.MustParse("quay.io/ocp/release@" + digest)

func document(digest, identity string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, identity, digest)
}

// sign returns an attachment as cosign makes it.
func sign(t testing.TB, key crypto.Signer, payload []byte) sigstore.Attachment {
	t.Helper()
	sum := sha256.Sum256(payload)
	signed, opts := sum[:], crypto.SignerOpts(crypto.SHA256)
	if _, ok := key.(ed25519.PrivateKey); ok {
		signed, opts = payload, crypto.Hash(0)
	}
	sig, err := key.Sign(rand.Reader, signed, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sigstore.Attachment{
		MediaType: sigstore.SignatureMediaType, Payload: payload,
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)},
	}
}

func with(a sigstore.Attachment, key, value string) sigstore.Attachment {
	a.Annotations = maps.Clone(a.Annotations)
	a.Annotations[key] = value
	return a
}

func newECDSA(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func publicPEM(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// logIn adds what a transparency log says of a signature.
func logIn(t testing.TB, log *ecdsa.PrivateKey, a sigstore.Attachment, keyOrCert []byte, at time.Time) sigstore.Attachment {
	t.Helper()
	sum := sha256.Sum256(a.Payload)
	sig, _ := base64.StdEncoding.DecodeString(a.Annotations["dev.cosignproject.cosign/signature"])
	record, _ := json.Marshal(map[string]any{
		"kind": "hashedrekord", "apiVersion": "0.0.1",
		"spec": map[string]any{
			"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}},
			"signature": map[string]any{"content": sig, "publicKey": map[string]any{"content": keyOrCert}},
		},
	})
	entry := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":"c0d2","logIndex":7}`, base64.StdEncoding.EncodeToString(record), at.Unix())
	hash := sha256.Sum256([]byte(entry))
	stamp, err := log.Sign(rand.Reader, hash[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return with(a, "dev.sigstore.cosign/bundle", fmt.Sprintf(`{"SignedEntryTimestamp":%q,"Payload":%s}`, base64.StdEncoding.EncodeToString(stamp), entry))
}

func TestKeys(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := newECDSA(t)
	for name, key := range map[string]crypto.Signer{"RSA": rsaKey, "ECDSA": newECDSA(t), "Ed25519": edKey} {
		t.Run(name, func(t *testing.T) {
			r := sigstore.Requirement{PublicKey: key.Public(), Origin: "the policy"}
			good := sign(t, key, document(digest, identity))
			bad := sign(t, other, document(digest, identity))
			got, err := r.Verify(image, digest, []sigstore.Attachment{{MediaType: "text/plain"}, bad, good})
			if err != nil || got.Identity != identity || got.Origin != "the policy" {
				t.Errorf("got %+v, %v", got, err)
			}
			for i := range good.Payload {
				for bit := range 8 {
					a := good
					a.Payload = slices.Clone(good.Payload)
					a.Payload[i] ^= 1 << bit
					if _, err := r.Verify(image, digest, []sigstore.Attachment{a}); !errors.Is(err, sigstore.ErrRejected) {
						t.Fatalf("byte %d, bit %d of the payload: %v", i, bit, err)
					}
				}
			}
			raw, _ := base64.StdEncoding.DecodeString(good.Annotations["dev.cosignproject.cosign/signature"])
			for i := range raw {
				for bit := range 8 {
					flipped := slices.Clone(raw)
					flipped[i] ^= 1 << bit
					a := with(good, "dev.cosignproject.cosign/signature", base64.StdEncoding.EncodeToString(flipped))
					if _, err := r.Verify(image, digest, []sigstore.Attachment{a}); !errors.Is(err, sigstore.ErrRejected) {
						t.Fatalf("byte %d, bit %d of the signature: %v", i, bit, err)
					}
				}
			}
		})
	}
}

func TestNoSignature(t *testing.T) {
	r := sigstore.Requirement{PublicKey: newECDSA(t).Public()}
	for want, all := range map[string][]sigstore.Attachment{
		"there is none":                   nil,
		"1 attachments are no signatures": {{MediaType: sigstore.BundleMediaType}},
	} {
		if _, err := r.Verify(image, digest, all); !errors.Is(err, sigstore.ErrNoSignature) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestPayloads(t *testing.T) {
	key := newECDSA(t)
	r := sigstore.Requirement{PublicKey: key.Public()}
	good := string(document(digest, identity))
	changed := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, tt := range []struct{ name, payload, want string }{
		{"cosign's", good, ""},
		{"with annotations", changed("null", `{"creator":"c","timestamp":1700000000,"more":{"a":[1]}}`), ""},
		{"no JSON", "hello", "the signed document"},
		{"list", "[]", "want a JSON object"},
		{"twice", changed(`"type"`, `"type":"x","type"`), "there twice"},
		{"unknown key", changed(`"type"`, `"more":1,"type"`), "unknown key"},
		{"other case", changed(`"type"`, `"Type"`), "unknown key"},
		{"missing key", changed(`,"optional":null`, ""), "missing"},
		{"fraction", changed("null", `{"timestamp":1.5}`), "not a whole number"},
		{"text behind", good + "x", "something follows"},
		{"GPG's type", changed("cosign container image", "atomic container"), "the type is"},
		{"another digest", string(document("sha256:"+strings.Repeat("f", 64), identity)), "another digest"},
		{"no digest", string(document("latest", identity)), "not a digest"},
		{"no reference", string(document(digest, "Not A Reference")), "not an image reference"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Verify(image, digest, []sigstore.Attachment{sign(t, key, []byte(tt.payload))})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestIdentities(t *testing.T) {
	key := newECDSA(t)
	for _, tt := range []struct {
		id            sigstore.Identity
		image, signed string
		ok            bool
	}{
		{sigstore.Identity{}, "quay.io/a/b@" + digest, "quay.io/a/b:1", true},
		{sigstore.Identity{}, "quay.io/a/b@" + digest, "quay.io/a/b@sha256:" + strings.Repeat("f", 64), true},
		{sigstore.Identity{}, "quay.io/a/b@" + digest, "quay.io/a/b", false},
		{sigstore.Identity{}, "quay.io/a/b@" + digest, "mirror.example.com/a/b:1", false},
		{sigstore.Identity{}, "quay.io/a/b:1", "quay.io/a/b:1", true},
		{sigstore.Identity{}, "quay.io/a/b:1", "quay.io/a/b:2", false},
		{sigstore.Identity{}, "docker.io/library/b:1", "b:1", true},
		{sigstore.Identity{Match: sigstore.MatchRepository}, "quay.io/a/b:1", "quay.io/a/b", true},
		{sigstore.Identity{Match: sigstore.MatchRepository}, "quay.io/a/b:1", "quay.io/a/c:1", false},
		{sigstore.Identity{Match: sigstore.ExactRepository, Repository: "m.example.com/b"}, "quay.io/a/b:1", "m.example.com/b:7", true},
		{sigstore.Identity{Match: sigstore.ExactRepository, Repository: "m.example.com/b"}, "quay.io/a/b:1", "quay.io/a/b:1", false},
		{sigstore.Identity{Match: sigstore.RemapIdentity, Prefix: "quay.io/a", SignedPrefix: "m.example.com/x"}, "quay.io/a/b@" + digest, "m.example.com/x/b:1", true},
		{sigstore.Identity{Match: sigstore.RemapIdentity, Prefix: "quay.io/a", SignedPrefix: "m.example.com/x"}, "quay.io/ab/c@" + digest, "quay.io/ab/c:1", true},
		{sigstore.Identity{Match: sigstore.RemapIdentity, Prefix: "quay.io/a", SignedPrefix: "m.example.com/x"}, "quay.io/a/b@" + digest, "quay.io/a/b:1", false},
		{sigstore.Identity{Match: "Other"}, "quay.io/a/b:1", "quay.io/a/b:1", false},
	} {
		r := sigstore.Requirement{PublicKey: key.Public(), Identity: tt.id}
		_, err := r.Verify(imageref.MustParse(tt.image), digest, []sigstore.Attachment{sign(t, key, document(digest, tt.signed))})
		if (err == nil) != tt.ok {
			t.Errorf("%s, image %s signed as %s: %v", tt.id, tt.image, tt.signed, err)
		}
	}
}

func TestRekor(t *testing.T) {
	key, log := newECDSA(t), newECDSA(t)
	r := sigstore.Requirement{PublicKey: key.Public(), Rekor: []*ecdsa.PublicKey{&newECDSA(t).PublicKey, &log.PublicKey}}
	plain := sign(t, key, document(digest, identity))
	own := publicPEM(t, key.Public())
	good := logIn(t, log, plain, own, time.Now())
	changed := func(old, new string) sigstore.Attachment {
		return with(good, "dev.sigstore.cosign/bundle", strings.Replace(good.Annotations["dev.sigstore.cosign/bundle"], old, new, 1))
	}
	another := with(good, "dev.sigstore.cosign/bundle", logIn(t, log, sign(t, key, document(digest, identity)), own, time.Now()).Annotations["dev.sigstore.cosign/bundle"])
	for _, tt := range []struct {
		name string
		a    sigstore.Attachment
		want string
	}{
		{"logged", good, ""},
		{"not logged", plain, "nothing says that it was logged"},
		{"another log", logIn(t, newECDSA(t), plain, own, time.Now()), "not signed by the transparency log"},
		{"another time", changed(`"integratedTime":1`, `"integratedTime":2`), "not signed by the transparency log"},
		{"another key", logIn(t, log, plain, publicPEM(t, log.Public()), time.Now()), "of another key"},
		{"another signature", another, "of another signature"},
		{"unknown key", changed(`"logID"`, `"more":1,"logID"`), "unknown key"},
		{"no JSON", with(good, "dev.sigstore.cosign/bundle", "x"), "bundle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := r.Verify(image, digest, []sigstore.Attachment{tt.a})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// authority issues certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	a := authority{key: newECDSA(t)}
	a.cert = a.issue(t, a.key, &x509.Certificate{
		Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

func (a authority) issue(t testing.TB, key *ecdsa.PrivateKey, c *x509.Certificate) *x509.Certificate {
	t.Helper()
	parent := a.cert
	if parent == nil {
		parent = c
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func certPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func TestCertificates(t *testing.T) {
	const email, issuer = "builder@example.com", "https://issuer.example.com"
	root, key, log := newAuthority(t), newECDSA(t), newECDSA(t)
	issuerDER, _ := asn1.Marshal(issuer)
	leaf := func(change func(*x509.Certificate)) *x509.Certificate {
		c := &x509.Certificate{
			EmailAddresses: []string{email}, DNSNames: []string{"build.example.com"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
			NotBefore:   time.Now().Add(-20 * time.Minute), NotAfter: time.Now().Add(-10 * time.Minute),
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuerDER}},
		}
		if change != nil {
			change(c)
		}
		return root.issue(t, key, c)
	}
	lasting := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) }
	then := time.Now().Add(-15 * time.Minute)
	fulcio := sigstore.Requirement{
		Fulcio: &sigstore.Fulcio{CAs: []*x509.Certificate{root.cert}, OIDCIssuer: issuer, Email: email},
		Rekor:  []*ecdsa.PublicKey{&log.PublicKey},
	}
	pki := sigstore.Requirement{PKI: &sigstore.PKI{Roots: []*x509.Certificate{root.cert}, Email: email, Hostname: "build.example.com"}}
	for _, tt := range []struct {
		name string
		r    sigstore.Requirement
		cert *x509.Certificate
		at   time.Time // when it was logged; zero for not at all
		want string
	}{
		{"Fulcio", fulcio, leaf(nil), then, ""},
		{"Fulcio, logged too late", fulcio, leaf(nil), time.Now(), "expired"},
		{"Fulcio, not logged", fulcio, leaf(nil), time.Time{}, "nothing says that it was logged"},
		{"Fulcio, another issuer", fulcio, leaf(func(c *x509.Certificate) {
			c.ExtraExtensions[0] = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte("https://other")}
		}), then, "OIDC issuer"},
		{"Fulcio, two issuers", fulcio, leaf(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte("https://other")})
		}), then, "two OIDC issuers"},
		{"Fulcio, another subject", fulcio, leaf(func(c *x509.Certificate) { c.EmailAddresses = []string{"x@example.com"} }), then, "is not of"},
		{"PKI", pki, leaf(lasting), time.Time{}, ""},
		{"PKI, expired", pki, leaf(nil), time.Time{}, "expired"},
		{"PKI, another host", pki, leaf(func(c *x509.Certificate) { lasting(c); c.DNSNames = []string{"x.example.com"} }), time.Time{}, "x.example.com"},
		{"PKI, another usage", pki, leaf(func(c *x509.Certificate) { lasting(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), time.Time{}, "usage"},
		{"PKI, another root", sigstore.Requirement{PKI: &sigstore.PKI{Roots: []*x509.Certificate{newAuthority(t).cert}, Email: email}}, leaf(lasting), time.Time{}, "unknown authority"},
		{"two roots of trust", sigstore.Requirement{PKI: pki.PKI, PublicKey: key.Public()}, leaf(lasting), time.Time{}, "not supported"},
		{"none", sigstore.Requirement{}, leaf(lasting), time.Time{}, "not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := with(sign(t, key, document(digest, identity)), "dev.sigstore.cosign/certificate", certPEM(tt.cert))
			if !tt.at.IsZero() {
				a = logIn(t, log, a, []byte(certPEM(tt.cert)), tt.at)
			}
			_, err := tt.r.Verify(image, digest, []sigstore.Attachment{a})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseManifest(t *testing.T) {
	const good = `{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","digest":"` + digest + `","size":10,"annotations":{"a":"b"}}]}`
	got, err := sigstore.ParseManifest(sigstore.ManifestMediaType, []byte(good))
	if err != nil || len(got) != 1 || got[0].Digest != digest || got[0].Size != 10 || got[0].Annotations["a"] != "b" {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, tt := range map[string][2]string{
		"Docker": {"application/vnd.docker.distribution.manifest.v2+json", good},
		"JSON":   {sigstore.ManifestMediaType, "x"},
		"digest": {sigstore.ManifestMediaType, strings.Replace(good, "sha256:", "../", 1)},
		"size":   {sigstore.ManifestMediaType, strings.Replace(good, ":10,", ":99999999,", 1)},
	} {
		if _, err := sigstore.ParseManifest(tt[0], []byte(tt[1])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := sigstore.Tag(digest); got != "sha256-"+digest[7:]+".sig" || sigstore.Tag("a/b") != "" {
		t.Errorf("tag %q", got)
	}
}

func FuzzPayload(f *testing.F) {
	key := newECDSA(f)
	r := sigstore.Requirement{PublicKey: key.Public()}
	f.Add(document(digest, identity))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := r.Verify(image, digest, []sigstore.Attachment{sign(t, key, data)})
		var loose struct {
			Critical struct {
				Image struct {
					Digest string `json:"docker-manifest-digest"`
				} `json:"image"`
			} `json:"critical"`
		}
		if err == nil && (json.Unmarshal(data, &loose) != nil || loose.Critical.Image.Digest != digest) {
			t.Errorf("accepted: %s", data)
		}
	})
}

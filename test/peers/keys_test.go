package peers

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
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"
)

// key signs images, or what a transparency log says of them.
type key struct {
	kind        string
	signer      crypto.Signer
	public      string // in PEM
	authority   string // the root that issued certificate, in PEM; "" where the key itself is trusted
	certificate string
	email       string // that a policy asks for
}

// keys are those of all worlds, since they take long to make.
type keys struct {
	all []*key
	log *key
}

func newKeys(t *testing.T) *keys {
	t.Helper()
	made := func(kind string) func(crypto.Signer, error) *key {
		return func(s crypto.Signer, err error) *key {
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKIXPublicKey(s.Public())
			if err != nil {
				t.Fatal(err)
			}
			return &key{kind: kind, signer: s, public: encodePEM("PUBLIC KEY", der)}
		}
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	k := &keys{all: []*key{made("rsa")(r, err)}}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		e, err := ecdsa.GenerateKey(curve, rand.Reader)
		k.all = append(k.all, made(fmt.Sprintf("ecdsa%d", curve.Params().BitSize))(e, err))
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	k.all = append(k.all, made("ed25519")(ed, err))
	log, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.log = made("log")(log, err)

	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	authority := issue(t, ca, ca, root.Public(), root)
	for i, asked := range []string{"x@example.com", "y@example.com"} { // the second policy asks for somebody else
		e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		p := made("pki")(e, err)
		p.authority, p.email = authority, asked
		p.certificate = issue(t, &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 2)), EmailAddresses: []string{"x@example.com"}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		}, ca, e.Public(), root)
		k.all = append(k.all, p)
	}
	return k
}

func issue(t *testing.T, c, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("CERTIFICATE", der)
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sign signs as cosign does.
func (k *key) sign(t *testing.T, data []byte) []byte {
	t.Helper()
	var opts crypto.SignerOpts = crypto.Hash(0)
	if _, whole := k.signer.(ed25519.PrivateKey); !whole {
		sum := sha256.Sum256(data)
		data, opts = sum[:], crypto.SHA256
	}
	out, err := k.signer.Sign(rand.Reader, data, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// logged returns what a transparency log with key k says of a signature.
func (k *key) logged(t *testing.T, payload, signature []byte, public string) string {
	t.Helper()
	sum := sha256.Sum256(payload)
	record, err := json.Marshal(map[string]any{
		"kind": "hashedrekord", "apiVersion": "0.0.1",
		"spec": map[string]any{
			"data":      map[string]any{"hash": map[string]any{"algorithm": "sha256", "value": hex.EncodeToString(sum[:])}},
			"signature": map[string]any{"content": signature, "publicKey": map[string]any{"content": []byte(public)}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	entry := fmt.Sprintf(`{"body":%q,"integratedTime":%d,"logID":"c0d2","logIndex":7}`, base64.StdEncoding.EncodeToString(record), time.Now().Unix())
	return fmt.Sprintf(`{"SignedEntryTimestamp":%q,"Payload":%s}`, base64.StdEncoding.EncodeToString(k.sign(t, []byte(entry))), entry)
}

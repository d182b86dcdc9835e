// Package signing makes keys and signatures for tests, of both kinds that releases have.
package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Sigstore is a key whose signatures stand beside images.
type Sigstore struct{ key *ecdsa.PrivateKey }

// NewSigstore makes a key.
func NewSigstore(t testing.TB) Sigstore {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Sigstore{key}
}

// Public returns the public key, in PEM.
func (s Sigstore) Public(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Policy returns a ClusterImagePolicy "openshift" that asks for the key.
func (s Sigstore) Policy(t testing.TB, scopes ...string) sigstore.ImagePolicy {
	t.Helper()
	p, _ := sigstore.OpenShift(21) // its key is replaced
	p.Spec.Scopes = scopes
	p.Spec.Policy.RootOfTrust.PublicKey.KeyData = s.Public(t)
	return p
}

// PolicyFile writes [Sigstore.Policy] to a file, and returns its name.
func (s Sigstore) PolicyFile(t testing.TB, scopes ...string) string {
	t.Helper()
	data, err := json.Marshal(s.Policy(t, scopes...))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Image returns what stands behind [sigstore.Tag]: a signature of digest, which says that
// this is identity.
func (s Sigstore) Image(t testing.TB, digest, identity string) testpayload.Image {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, identity, digest)
	sum := sha256.Sum256(payload)
	sig, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	layer := testpayload.NewBlob(sigstore.SignatureMediaType, payload)
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}
	return testpayload.Must(testpayload.Spec{Base: []testpayload.Blob{layer}}.Image())
}

// GPG is a key whose signatures stand in stores.
type GPG struct{ entity *openpgp.Entity }

// NewGPG makes a key of name.
func NewGPG(t testing.TB, name string) GPG {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return GPG{e}
}

// Public returns the public key, armored.
func (g GPG) Public(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.entity.Serialize(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// Sign returns a signature of digest, which says that this is identity.
func (g GPG) Sign(t testing.TB, digest, identity string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := openpgp.Sign(&b, g.entity, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(w, `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},"identity":{"docker-reference":%q}},"optional":{}}`, digest, identity)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

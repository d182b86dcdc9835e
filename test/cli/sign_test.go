package cli

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
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// signers are the keys of one script, by name. They are made when they are first named.
type signers struct {
	gpg      map[string]*openpgp.Entity
	sigstore map[string]*ecdsa.PrivateKey
}

// signCmd makes keys and signatures.
//
//	sign keyring KEY FILE                  writes the public GPG key
//	sign trust KEY... FILE                 writes a ConfigMap with a keyring for each
//	sign gpg KEY DIGEST FILE [SIGNED]      writes the signature of SIGNED, else of DIGEST; HEX in FILE is DIGEST's
//	sign configmap DIGEST SIGNATURE FILE   writes it as oc adm release mirror does
//	sign policy KEY SCOPE FILE             writes a ClusterImagePolicy
//	sign image KEY NAME REPO DIGEST IDENTITY [SIGNED]   pushes the sigstore signature of SIGNED, else of DIGEST, for DIGEST
//	sign images KEY NAME REPO COUNT[@VERSION] IDENTITY [but COMPONENT...]   does that for the components of a release
//	sign serve NAME DIR                    serves a folder to user "user" with password "s3cr3t"; NAME is the host
func signCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: sign WHAT ...")
	}
	s := ts.Value(siteKey{}).(*site)
	verb, args := args[0], args[1:]
	last := ts.MkAbs(args[len(args)-1])
	var out []byte
	var err error
	switch verb {
	case "keyring":
		out, err = s.signers.keyring(args[0])
	case "trust":
		out, err = s.signers.trust(args[:len(args)-1])
	case "gpg":
		signed := args[1]
		if len(args) > 3 {
			signed = args[3]
		}
		last = ts.MkAbs(strings.Replace(args[2], "HEX", strings.TrimPrefix(args[1], "sha256:"), 1))
		out, err = s.signers.signGPG(args[0], signed)
	case "configmap":
		key := strings.Replace(args[0], ":", "-", 1)
		out, err = json.Marshal(map[string]any{
			"kind": "ConfigMap", "apiVersion": "v1",
			"metadata":   map[string]any{"name": key, "namespace": "openshift-config-managed", "labels": map[string]string{"release.openshift.io/verification-signatures": ""}},
			"binaryData": map[string][]byte{key + "-1": []byte(ts.ReadFile(args[1]))},
		})
	case "policy":
		out, err = s.signers.policy(args[0], args[1])
	case "image":
		signed := args[3]
		if len(args) > 5 {
			signed = args[5]
		}
		var img testpayload.Image
		img, err = s.signers.signImage(args[0], signed, args[4])
		ts.Check(err)
		s.registries[args[1]].Push(args[2], sigstore.Tag(args[3]), img)
		return
	case "images":
		ts.Check(s.signImages(args))
		return
	case "serve":
		s.serve(ts, args[0], last)
		return
	default:
		ts.Fatalf("unknown verb %q", verb)
	}
	ts.Check(err)
	ts.Check(errors.Join(os.MkdirAll(filepath.Dir(last), 0o755), os.WriteFile(last, out, 0o600)))
}

func (s *site) signImages(args []string) error {
	r, err := releaseOf(args[3])
	if err != nil {
		return err
	}
	for _, name := range r.ComponentNames() {
		if slices.Contains(args[5:], name) {
			continue
		}
		img, err := s.signers.signImage(args[0], r.ComponentDigest(name), args[4])
		if err != nil {
			return err
		}
		s.registries[args[1]].Push(args[2], sigstore.Tag(r.ComponentDigest(name)), img)
	}
	return nil
}

func (s *site) serve(ts *testscript.TestScript, name, dir string) {
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "s3cr3t" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	}))
	s.servers = append(s.servers, server)
	ts.Setenv(name, strings.TrimPrefix(server.URL, "http://"))
}

func (s *signers) entity(name string) (*openpgp.Entity, error) {
	if e := s.gpg[name]; e != nil {
		return e, nil
	}
	e, err := openpgp.NewEntity(name, "", name+"@example.com", &pgp.Config{RSABits: 2048})
	if s.gpg == nil {
		s.gpg = make(map[string]*openpgp.Entity)
	}
	s.gpg[name] = e
	return e, err
}

func (s *signers) keyring(name string) ([]byte, error) {
	e, err := s.entity(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		return nil, err
	}
	err = errors.Join(e.Serialize(w), w.Close())
	return append(b.Bytes(), '\n'), err
}

func (s *signers) trust(names []string) ([]byte, error) {
	data := map[string]string{"store-elsewhere": "https://example.com"}
	for _, name := range names {
		key, err := s.keyring(name)
		if err != nil {
			return nil, err
		}
		data["verifier-public-key-"+name] = string(key)
	}
	return json.Marshal(map[string]any{"kind": "ConfigMap", "apiVersion": "v1", "metadata": map[string]any{
		"name": "release-verification", "annotations": map[string]string{"release.openshift.io/verification-config-map": ""},
	}, "data": data})
}

func (s *signers) signGPG(name, digest string) ([]byte, error) {
	e, err := s.entity(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := openpgp.Sign(&b, e, nil, nil)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(w, `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},"identity":{"docker-reference":"quay.io/ocp/release:4.17.3"}},"optional":{"creator":"test","timestamp":1}}`, digest)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

func (s *signers) key(name string) (*ecdsa.PrivateKey, error) {
	if k := s.sigstore[name]; k != nil {
		return k, nil
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if s.sigstore == nil {
		s.sigstore = make(map[string]*ecdsa.PrivateKey)
	}
	s.sigstore[name] = k
	return k, err
}

func (s *signers) policy(name, scope string) ([]byte, error) {
	k, err := s.key(name)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `apiVersion: config.openshift.io/v1
kind: ClusterImagePolicy
metadata:
  name: site
spec:
  scopes: [%q]
  policy:
    rootOfTrust:
      policyType: PublicKey
      publicKey:
        keyData: %s
`, scope, base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))), nil
}

func (s *signers) signImage(name, digest, identity string) (testpayload.Image, error) {
	k, err := s.key(name)
	if err != nil {
		return testpayload.Image{}, err
	}
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, identity, digest)
	sum := sha256.Sum256(payload)
	sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return testpayload.Image{}, err
	}
	layer := testpayload.NewBlob(sigstore.SignatureMediaType, payload)
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}
	return testpayload.Spec{Base: []testpayload.Blob{layer}}.Image()
}

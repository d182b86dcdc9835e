package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
)

// Every suite that Go knows is offered alone. Those of the intermediate profile are
// accepted, each with its kind of key, and no other.
func TestServerConfigSuites(t *testing.T) {
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rivest, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"ECDSA": {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
		"RSA":   {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
	}
	for kind, pair := range map[string]tls.Certificate{
		"ECDSA": {Certificate: [][]byte{signed(t, elliptical, &elliptical.PublicKey)}, PrivateKey: elliptical},
		"RSA":   {Certificate: [][]byte{signed(t, rivest, &rivest.PublicKey)}, PrivateKey: rivest},
	} {
		server := pki.ServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil })
		var got []string
		for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue // of TLS 1.3
			}
			client := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}
			if handshake(server, client) == nil {
				got = append(got, suite.Name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want[kind]) {
			t.Errorf("with a key of kind %s these suites are accepted: %v; want %v", kind, got, want[kind])
		}
		if handshake(server, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}) == nil {
			t.Error("TLS 1.1 is accepted")
		}
		if err := handshake(server, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}); err != nil {
			t.Errorf("TLS 1.3: %v", err)
		}
	}
}

func signed(t *testing.T, key, public any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func handshake(server, client *tls.Config) error {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() { _ = tls.Server(a, server).Handshake(); a.Close() }()
	return tls.Client(b, client).Handshake()
}

// No listener of the binaries has TLS settings of its own.
func TestEveryListenerHasServerConfig(t *testing.T) {
	const commands = "../.."
	err := filepath.WalkDir(commands, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if filepath.Dir(path) == filepath.Join(commands, "internal", "pki") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, own := range []string{"tls.Config{", "new(tls.Config)", "tls.CipherSuites", "SecureServing: true"} {
			if strings.Contains(string(text), own) {
				t.Errorf("%s has %q: use pki.ServerConfig", path, own)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Package trust says which certificates of registries a program in a pod believes:
// the system's authorities, those of bundles that are mounted, and those of certs.d
// directories. Bundles are mounted from ConfigMaps, so they change while the program
// runs, and are read again.
//
// The system's authorities are Go's choice (crypto/x509), read once: $SSL_CERT_FILE, or
// the first that is there of a list of files, and all files in $SSL_CERT_DIR, by
// default /etc/ssl/certs and /etc/pki/tls/certs. So a bundle in /etc/pki/tls/certs is
// found without this package, but not when it changes; one in
// /etc/pki/ca-trust/extracted/pem only in an image that has no other file of that list.
package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// DefaultBundles are where the operators' Deployments mount bundles: that of the
// management cluster, and that of the HostedCluster or, for the hypershift-operator, of
// its own namespace.
func DefaultBundles() []string {
	return []string{"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/pki/tls/certs/user-ca-bundle.pem"}
}

// BundlesHelp is what the operators' --trust-bundle says.
const BundlesHelp = "a `FILE` of authorities to trust registries by, PEM, beside the system's; followed, and need not be there; may be given more than once"

// Registries is [registry.CertDirs] of dirs, with the authorities of bundles trusted
// beside those. A bundle is a PEM file; it need not be there, but one that is there
// must hold a certificate. Files are read at each call.
func Registries(bundles, dirs []string) func(registry string) (registry.TLS, error) {
	of := registry.CertDirs(dirs...)
	return func(host string) (registry.TLS, error) {
		t, err := of(host)
		if err != nil {
			return t, err
		}
		for _, name := range bundles {
			data, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return registry.TLS{}, fmt.Errorf("trust bundle: %w", err)
			}
			if t.RootCAs == nil {
				if t.RootCAs, err = x509.SystemCertPool(); err != nil {
					return registry.TLS{}, fmt.Errorf("trust bundle: the system's authorities: %w", err)
				}
			}
			if err := add(t.RootCAs, data); err != nil {
				return registry.TLS{}, fmt.Errorf("trust bundle %s: %w", name, err)
			}
		}
		return t, nil
	}
}

// add adds the certificates of a bundle. An empty one adds none. What cannot be parsed
// is skipped, as bundles of many authorities hold some that are strange.
func add(pool *x509.CertPool, bundle []byte) error {
	if len(bytes.TrimSpace(bundle)) == 0 {
		return nil
	}
	found := false
	for rest := bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if cert, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			pool.AddCert(cert)
			found = true
		}
	}
	if !found {
		return errors.New("it holds no certificate; want PEM")
	}
	return nil
}

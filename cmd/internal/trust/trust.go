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
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Where the pods of the operators have their CA bundles.
const (
	// ManagedDir has the bundle of the management cluster.
	ManagedDir, ManagedFile = "/etc/pki/ca-trust/extracted/pem", "tls-ca-bundle.pem"
	// UserDir has the bundle of the HostedCluster or, for the hypershift-operator, that
	// of its own namespace.
	UserDir, UserFile = "/etc/pki/tls/certs", "user-ca-bundle.pem"
)

// DefaultBundles returns the files in [ManagedDir] and [UserDir].
func DefaultBundles() []string {
	return []string{ManagedDir + "/" + ManagedFile, UserDir + "/" + UserFile}
}

// System returns the public authorities of this system: the file in $SSL_CERT_FILE, or the first that is
// there of those in which crypto/x509 looks. It returns an empty bundle where there is none.
func System() (Bundle, error) {
	for _, name := range []string{
		os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", ManagedDir + "/" + ManagedFile,
	} {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Bundle{}, fmt.Errorf("the system's authorities: %w", err)
		}
		b, err := ParseBundle(data)
		if err != nil {
			return Bundle{}, fmt.Errorf("the system's authorities, %s: %w", name, err)
		}
		return b, nil
	}
	return Bundle{}, nil
}

// BundlesHelp is what the operators' --trust-bundle says.
const BundlesHelp = "PEM `FILE` of CAs to trust for registries, beside those of the system; it may be missing, and its changes are followed; repeatable"

// Registries returns [registry.CertDirs] of dirs, with the authorities of bundles trusted
// beside those. A bundle is read by [ParseBundle]; it need not be there, but one that is
// there must hold a certificate that can be used. Files are read at each call. log is
// told once what of a bundle is not trusted, and again when that changes; nil is silent.
func Registries(bundles, dirs []string, log *zap.Logger) func(registry string) (registry.TLS, error) {
	of := registry.CertDirs(dirs...)
	w := warner{log: log}
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
			bundle, err := ParseBundle(data)
			if err != nil {
				return registry.TLS{}, fmt.Errorf("trust bundle %s: %w", name, err)
			}
			w.warn(name, bundle.Warning())
			if t, err = bundle.Beside(t, nil); err != nil {
				return registry.TLS{}, fmt.Errorf("trust bundle %s: %w", name, err)
			}
		}
		return t, nil
	}
}

// warner logs the warning of each file when it changes.
type warner struct {
	log  *zap.Logger
	mu   sync.Mutex
	last map[string]string // by file
}

func (w *warner) warn(file, text string) {
	if w.log == nil {
		return
	}
	w.mu.Lock()
	changed := w.last[file] != text
	if w.last == nil {
		w.last = map[string]string{}
	}
	w.last[file] = text
	w.mu.Unlock()
	if changed && text != "" {
		w.log.Warn("a part of a CA bundle is not trusted", zap.String("file", file), zap.String("skipped", text))
	}
}

package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CertDirs reads certificates from directories laid out as containers' certs.d
// (containers-certs.d(5)): in DIR/HOST[:PORT], *.crt are authorities trusted
// beside the system's, and each *.cert with its *.key is a client certificate.
// The first dir that has a directory for the registry counts. A registry without
// one gets the zero [TLS]; a file that cannot be used is an error that names it.
//
// Files are read at each call, so that renewed certificates are seen.
func CertDirs(dirs ...string) func(registry string) (TLS, error) {
	dirs = append([]string(nil), dirs...)
	return func(registry string) (TLS, error) {
		if registry == "" || registry != filepath.Base(registry) || registry == ".." || registry == "." {
			return TLS{}, fmt.Errorf("certificates: %q is no registry", registry)
		}
		for _, dir := range dirs {
			t, err := readCertDir(filepath.Join(dir, registry))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return t, err
		}
		return TLS{}, nil
	}
}

func readCertDir(dir string) (TLS, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return TLS{}, err
	}
	var t TLS
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		switch filepath.Ext(file) {
		case ".crt":
			err = t.addRoots(file)
		case ".cert":
			err = t.addClient(file, strings.TrimSuffix(file, ".cert")+".key")
		case ".key":
			cert := strings.TrimSuffix(file, ".key") + ".cert"
			if _, e := os.Stat(cert); errors.Is(e, fs.ErrNotExist) {
				err = fmt.Errorf("%s: there is no %s beside it", file, filepath.Base(cert))
			}
		}
		if err != nil {
			// Not to be taken for a directory that is not there.
			return TLS{}, fmt.Errorf("certificates: %v", err)
		}
	}
	return t, nil
}

func (t *TLS) addRoots(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if t.RootCAs == nil {
		if t.RootCAs, err = x509.SystemCertPool(); err != nil {
			t.RootCAs = x509.NewCertPool()
		}
	}
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: no certificate in PEM in it", file)
	}
	return nil
}

func (t *TLS) addClient(cert, key string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("%s: %w", cert, err)
	}
	t.Certificates = append(t.Certificates, pair)
	return nil
}

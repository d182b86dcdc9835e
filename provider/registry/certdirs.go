package registry

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CertDirs returns a function for [Config].TLS that reads certificates from directories
// laid out as containers' certs.d (containers-certs.d(5)). In DIR/HOST[:PORT], *.crt
// are authorities, trusted beside those of the system, and each *.cert with its *.key
// is a client certificate. The first dir that has a directory for the registry counts.
// A registry without one gets the zero [TLS].
//
// A client certificate that cannot be used is an error that names it. A directory or file
// that the user may not read is skipped, as containers do, and named in [TLS].Unread; so
// is a *.crt that is gone or has no certificate in it, beside one that has. Anything that
// is no regular file is an error, since reading it may never end.
//
// Files are read at each call, so that renewed certificates are seen.
func CertDirs(dirs ...string) func(registry string) (TLS, error) {
	dirs = append([]string(nil), dirs...)
	return func(registry string) (TLS, error) {
		if registry == "" || registry != filepath.Base(registry) || registry == ".." || registry == "." {
			return TLS{}, fmt.Errorf("certificates: %q is no registry", registry)
		}
		var unread []string
		for _, dir := range dirs {
			t, err := readCertDir(filepath.Join(dir, registry))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case errors.Is(err, fs.ErrPermission): // of the directory itself
				unread = append(unread, err.Error())
				continue
			}
			t.TLS.Unread = strings.Join(append(unread, t.unread...), "; ")
			return t.TLS, err
		}
		return TLS{Unread: strings.Join(unread, "; ")}, nil
	}
}

// certDir is what one directory holds.
type certDir struct {
	TLS
	unread []string
}

func readCertDir(dir string) (certDir, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return certDir{}, err
	}
	var t certDir
	var useless error
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
		switch {
		case errors.Is(err, fs.ErrPermission):
			t.unread = append(t.unread, err.Error())
		case errors.Is(err, errNoAuthority):
			t.unread = append(t.unread, err.Error())
			useless = cmp.Or(useless, err)
		case err != nil:
			// Not to be taken for a directory that is not there.
			return certDir{}, fmt.Errorf("certificates: %v", err)
		}
	}
	if useless != nil && t.RootCAs == nil {
		return certDir{}, fmt.Errorf("certificates: %v", useless)
	}
	return t, nil
}

// errNoAuthority says that a file of authorities has none. It can be left out beside another.
var errNoAuthority = errors.New("no certificate in PEM in it")

func (t *certDir) addRoots(file string) error {
	pem, err := readCertFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a link to nowhere
		return fmt.Errorf("%w: %w", errNoAuthority, err)
	case err != nil:
		return err
	}
	roots := t.RootCAs
	if roots == nil {
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
	}
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s: %w", file, errNoAuthority)
	}
	t.RootCAs = roots
	return nil
}

func (t *certDir) addClient(cert, key string) error {
	certPEM, err := readCertFile(cert)
	if err != nil {
		return err
	}
	keyPEM, err := readCertFile(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: there is no %s beside it; an authority's file is called *.crt", cert, filepath.Base(key))
	case err != nil:
		return fmt.Errorf("%s: %w", cert, err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("%s: %w", cert, err)
	}
	t.Certificates = append(t.Certificates, pair)
	return nil
}

// maxCertFile is more than all authorities that a system trusts.
const maxCertFile = 16 << 20

// readCertFile reads a regular file. Opening a FIFO would wait for a writer, and a
// device such as /dev/zero has no end.
func readCertFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file (%s)", file, info.Mode().Type())
	case info.Size() > maxCertFile:
		return nil, fmt.Errorf("%s: %d bytes; at most %d are read", file, info.Size(), maxCertFile)
	}
	return os.ReadFile(file)
}

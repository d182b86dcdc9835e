package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/registriesconf"
)

// Some programs of a release ask registries themselves: with the feature gate OSStreams
// machine-config-controller inspects images of the operating system. Their client,
// containers/image, reads its configuration below $HOME, which is the work directory:
// the rules in force, so that mirrors and NeverContactSource hold for it too, the pull
// secret and the certificates of registries. None of it is among the files that the
// programs make the nodes' configuration of.
//
// The rules stand in files that are read after those of the system, in the order of their
// names, and replace their tables. As on nodes, tables of drop-ins have files of their own: in
// one file with the others they may contradict these, and then the client refuses it.
const (
	clientRules        = ".config/containers/registries.conf.d/50-mirrorchain.conf"
	clientDropIn       = ".config/containers/registries.conf.d/60-mirrorchain-%d.conf"
	clientCertificates = ".config/containers/certs.d"
	clientLogin        = ".docker/config.json"
	clientAuthorities  = ".config/authorities.pem"
)

// Clients is what this process knows of registries and hands to programs.
type Clients struct {
	// Bundles are files of authorities, PEM, that are trusted beside the system's. One
	// that does not exist is left out.
	Bundles []string
	// CertDirs are certs.d directories; the first that has a registry counts.
	CertDirs []string
	// Proxy is added to the environment: HTTP_PROXY and the like, "NAME=value".
	Proxy []string
}

// ProxyEnv returns the variables of env that name proxies, in either case.
func ProxyEnv(env []string) []string {
	var proxies []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY":
			proxies = append(proxies, v)
		}
	}
	return proxies
}

// writeClientConfig writes what the programs' own registry client reads.
func (w *work) writeClientConfig(rules *policy.Rules) error {
	conf, dropIns, err := registriesconf.EncodeNode(rules)
	if err != nil {
		return err
	}
	authorities, err := w.cfg.Clients.authorities()
	if err != nil {
		return err
	}
	files := map[string][]byte{clientRules: conf, clientLogin: w.in.PullSecret}
	for i, data := range dropIns {
		files[fmt.Sprintf(clientDropIn, i+1)] = data
	}
	if len(authorities) > 0 {
		files[clientAuthorities] = authorities
	}
	for name, content := range files {
		if err := w.write(name, content); err != nil {
			return err
		}
	}
	return w.linkCertificates()
}

// clientEnv returns what programs find in their environment for it.
func (w *work) clientEnv() []string {
	env := append([]string{"REGISTRY_AUTH_FILE=" + filepath.Join(w.path, clientLogin)}, w.cfg.Clients.Proxy...)
	if _, err := w.root.Stat(clientAuthorities); err == nil {
		env = append(env, "SSL_CERT_FILE="+filepath.Join(w.path, clientAuthorities))
	}
	return env
}

// systemAuthorities are the places where the system may have its authorities. Go reads
// the first that exists, and $SSL_CERT_FILE instead if it is set.
var systemAuthorities = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// authorities returns the system's authorities and the bundles, as one file. The result
// is empty where no bundle exists: then the system's own are found without it.
func (c Clients) authorities() ([]byte, error) {
	var all [][]byte
	for _, name := range c.Bundles {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, nil
	}
	system := systemAuthorities
	if name := os.Getenv("SSL_CERT_FILE"); name != "" {
		system = []string{name}
	}
	for _, name := range system {
		if b, err := os.ReadFile(name); err == nil {
			all = append(all, b)
			break
		}
	}
	return bytes.Join(all, []byte("\n")), nil
}

// linkCertificates makes the directories of registries found in the certs.d directories
// visible to programs. Links leave keys where they are.
func (w *work) linkCertificates() error {
	if err := w.root.MkdirAll(clientCertificates, 0o755); err != nil {
		return err
	}
	for _, dir := range w.cfg.Clients.CertDirs {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		registries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, r := range registries {
			err := w.root.Symlink(filepath.Join(dir, r.Name()), path.Join(clientCertificates, r.Name()))
			if err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	return nil
}

package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/layout"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// reader reads registries, or what --from names.
type reader interface {
	provider.Opener
	provider.Restorer
	provider.HeadProvider
	provider.ImageProvider
	provider.ContentProvider
	// Tags lists the tags of a repository, see [registry.Provider].
	Tags(ctx context.Context, req provider.Request) ([]string, error)
	Close() error
}

// reader reads the network the way the flags and the environment say. The standard
// library reads proxies and SSL_CERT_FILE by itself.
func (a *app) reader(disk *diskcache.Cache) (reader, error) {
	if slices.Contains(a.opts.from, "") {
		return nil, failure.Usagef("--from is empty; want a folder or an archive")
	}
	if len(a.opts.from) > 0 {
		store, err := layout.Open(a.opts.from...)
		if err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
		return onDisk{store}, nil
	}
	dirs, err := a.certDirs()
	if err != nil {
		return nil, err
	}
	trust, err := a.trusting(registry.CertDirs(dirs...))
	if err != nil {
		return nil, err
	}
	return registry.New(registry.Config{
		TLS:       trust,
		Insecure:  !a.opts.tlsVerify,
		Timeouts:  registry.Silent(a.opts.endpointTimeout),
		Proxy:     http.ProxyFromEnvironment,
		UserAgent: "mirrorchain/" + currentVersion().Version,
		Observe:   a.exchanged,
		Blobs:     disk,
	})
}

// certDirs returns those of --cert-dir, which must exist, or those of podman and
// docker that do.
func (a *app) certDirs() ([]string, error) {
	if len(a.opts.certDirs) > 0 {
		for _, dir := range a.opts.certDirs {
			info, err := os.Stat(dir)
			if err != nil {
				return nil, fmt.Errorf("--cert-dir: %w", err)
			}
			if !info.IsDir() {
				return nil, fmt.Errorf("--cert-dir %s: not a directory; want one that holds REGISTRY[:PORT]/*.crt", dir)
			}
		}
		return a.opts.certDirs, nil
	}
	return registry.FindCertDirs(a.sys.LookupEnv), nil
}

// trusting adds the authorities of --certificate-authority to what tls returns.
func (a *app) trusting(tls func(string) (registry.TLS, error)) (func(string) (registry.TLS, error), error) {
	if a.opts.authorities == "" {
		return tls, nil
	}
	bundle, err := os.ReadFile(a.opts.authorities)
	if err != nil {
		return nil, fmt.Errorf("--certificate-authority: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("--certificate-authority %s: no certificate in it; want PEM", a.opts.authorities)
	}
	return func(host string) (registry.TLS, error) {
		t, err := tls(host)
		if err != nil {
			return t, err
		}
		if t.RootCAs == nil {
			if t.RootCAs, err = x509.SystemCertPool(); err != nil {
				t.RootCAs = x509.NewCertPool()
			}
		}
		t.RootCAs = t.RootCAs.Clone()
		t.RootCAs.AppendCertsFromPEM(bundle)
		return t, nil
	}, nil
}

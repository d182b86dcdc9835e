package main

import (
	"fmt"
	"net/http"
	"os"

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
	Close() error
}

// reader reads the network the way the flags and the environment say. The standard
// library reads proxies and SSL_CERT_FILE by itself.
func (a *app) reader(disk *diskcache.Cache) (reader, error) {
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
	return registry.New(registry.Config{
		TLS:       registry.CertDirs(dirs...),
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

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// reader reads registries.
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
	dirs, err := a.certDirs()
	if err != nil {
		return nil, err
	}
	p, err := registry.New(registry.Config{
		TLS:       registry.CertDirs(dirs...),
		Proxy:     http.ProxyFromEnvironment,
		UserAgent: "mirrorchain/" + currentVersion().Version,
		Observe:   a.exchanged,
		Blobs:     disk,
	})
	if err != nil || a.opts.tlsVerify {
		return p, err
	}
	return insecure{p}, nil
}

// insecure asks every endpoint insecurely, because the user gave --tls-verify=false.
type insecure struct{ *registry.Provider }

// Name names the provider in errors.
func (insecure) Name() string { return "insecure registry" }

func (i insecure) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	req.Insecure = true
	return i.Provider.Lookup(ctx, req)
}

func (i insecure) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	req.Insecure = true
	return i.Provider.Open(ctx, req, known)
}

func (i insecure) Head(ctx context.Context, req provider.Request) (string, error) {
	req.Insecure = true
	return i.Provider.Head(ctx, req)
}

func (i insecure) Image(ctx context.Context, req provider.Request) (provider.Image, error) {
	req.Insecure = true
	return i.Provider.Image(ctx, req)
}

func (i insecure) Content(ctx context.Context, req provider.Request) (provider.Content, error) {
	req.Insecure = true
	return i.Provider.Content(ctx, req)
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

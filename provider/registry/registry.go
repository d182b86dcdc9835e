package registry

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/auth"
)

// Provider reads releases and images from registries. It keeps connections,
// tokens and what it learnt about each registry, and no content. All methods may
// be called from many goroutines at once. New makes one; lookups of a zero Provider
// are an error.
type Provider struct {
	cfg       Config
	endpoints *endpoints
	decoders  slots
	manifests slots
}

var (
	_ provider.Opener        = (*Provider)(nil)
	_ provider.Restorer      = (*Provider)(nil)
	_ provider.ImageProvider = (*Provider)(nil)
	_ provider.HeadProvider  = (*Provider)(nil)

	_ provider.ContentProvider = (*Provider)(nil)
)

// New makes a Provider. It contacts no registry. An error says what is wrong with
// cfg.
func New(cfg Config) (*Provider, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Provider{cfg: cfg, decoders: make(slots, cfg.Decoders), manifests: make(slots, manifestSlots)}
	p.endpoints = &endpoints{cfg: cfg, background: auth.NewBackground(), all: make(map[endpointKey]*endpoint)}
	return p, nil
}

var errZero = errors.New("registry: this Provider was not made by New")

// check returns an error if p cannot be used or req is invalid, before anybody is asked.
func (p *Provider) check(req *provider.Request) error {
	if p == nil || p.endpoints == nil {
		return errZero
	}
	return req.Validate()
}

// Lookup reads the release at req.Image, and nowhere else.
func (p *Provider) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	o, err := p.Open(ctx, req, "")
	if err != nil {
		return nil, err
	}
	return o.Release(ctx)
}

// Open reads the manifest, from an index that of the platform, and leaves the layers
// for later. With a known digest the request is conditional (If-None-Match), and Open
// returns nil if the registry answers that req.Image still names it. A registry that
// ignores conditions sends the manifest again.
func (p *Provider) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	if err := p.check(&req); err != nil {
		return nil, err
	}
	s := p.sourceOf(req)
	s.blobs = p.cfg.Blobs
	m, err := p.manifest(ctx, s, req.Platform, known)
	if err != nil || m == nil {
		return nil, err
	}
	return &opened{p, req, s, m}, nil
}

// Image reads the manifest of any image. The rest is read when it is asked for,
// with the request's credentials.
func (p *Provider) Image(ctx context.Context, req provider.Request) (provider.Image, error) {
	if err := p.check(&req); err != nil {
		return nil, err
	}
	s := p.sourceOf(req)
	m, err := p.manifest(ctx, s, req.Platform, "")
	if err != nil {
		return nil, err
	}
	return &image{p, s, m}, nil
}

// CloseIdleConnections closes connections that no lookup uses now.
func (p *Provider) CloseIdleConnections() {
	if p != nil && p.endpoints != nil {
		p.endpoints.closeIdle()
	}
}

// Close ends what runs in the background, waits for it, and closes idle
// connections. Lookups should have ended; later ones may fail.
func (p *Provider) Close() error {
	if p == nil || p.endpoints == nil {
		return nil
	}
	p.endpoints.background.Close()
	p.CloseIdleConnections()
	return nil
}

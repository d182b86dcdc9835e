package mirrorchain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// Config configures a [Client]. The zero value works: there are no policies, so each image
// is read from its own registry, with the credentials that oc, podman and docker use.
type Config struct {
	// Policies are the places that policies are read from: the path of a file or a
	// folder, "file:PATH", "env:NAME", "-" for standard input, or what Schemes add. The
	// policies of all places are merged.
	Policies []string
	// Sources are further places that policies are read from, for programs that have their
	// own. They come after those of Policies.
	Sources []policy.OverrideSource
	// Files configures how files are read, and chooses one of several HostedClusters.
	Files file.Config
	// Schemes add to what Policies may name, such as "cluster:".
	Schemes []sources.Factory
	// Resolver configures how policies are merged and followed. If its Log is nil, it
	// uses the Log of this Config.
	Resolver sources.ResolverConfig
	// Credentials returns the credentials for the endpoints that a lookup may ask. It is
	// called once per lookup. Nil looks where oc, podman and docker keep them, see package
	// provider/authfile.
	Credentials func(ctx context.Context, endpoints ...imageref.Ref) (provider.Credentials, error)
	// Platform chooses one image of an index. The zero Platform is linux on the
	// architecture of this program.
	Platform provider.Platform
	// Base reads images from one endpoint. Nil is package provider/registry with the
	// certs.d directories of containers and docker. Close does not close a Base that is
	// set here.
	Base Base
	// Layers are put around Base for Release, the first one outermost. They do not matter
	// for Image and Contents. Nil is [chain.Default], which needs a Base that is a
	// [provider.Opener].
	Layers []chain.Layer
	// Log reports changes of the policies, and endpoints that fail. Nil logs nothing.
	Log *slog.Logger
}

// Base reads images from the endpoint that a request names, and from no other.
type Base interface {
	provider.ReleaseProvider
	provider.ImageProvider
}

// Client looks up images and follows the policies. Its lookups share what they learn about
// registries: a mirror that failed in one is not asked first in the next. A Client is safe
// for concurrent use.
type Client struct {
	cfg      Config
	resolver *sources.Resolver
	releases *chain.Chain
	images   provider.ImageProvider
	contents provider.ContentProvider // nil if the base has none
	close    func() error
}

// Open reads the policies once and begins to follow them. It fails if policies are invalid
// or cannot be merged. It does not fail if a source of policies, such as a cluster, cannot
// be reached now: until that has answered once, lookups fail with [provider.ErrNoRules]. ctx
// limits Open alone: the client goes on when it ends.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Resolver.Log == nil {
		cfg.Resolver.Log = cfg.Log
	}
	if cfg.Credentials == nil {
		cfg.Credentials = authFiles(cfg.Log)
	}
	srcs, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg}
	if c.resolver, err = sources.NewResolver(ctx, cfg.Resolver, srcs...); err != nil {
		return nil, err
	}
	closeBase := func() error { return nil }
	if cfg.Base == nil {
		base, err := registry.New(registry.Config{TLS: registry.CertDirs(registry.FindCertDirs(os.LookupEnv)...)})
		if err != nil {
			return nil, err
		}
		cfg.Base, closeBase = base, base.Close
	}
	mirrors := chain.MirrorsConfig{Health: health.New(health.Config{}), Observer: chain.LogObserver(cfg.Log)}
	if cfg.Layers == nil {
		cfg.Layers = chain.Default(chain.DefaultConfig{Observers: []chain.Observer{mirrors.Observer}, Mirrors: mirrors})
	}
	if c.releases, err = chain.New(cfg.Base, c.resolver.Current, cfg.Layers...); err == nil {
		c.images, err = chain.Images(cfg.Base, c.resolver.Current, mirrors)
	}
	if base, ok := cfg.Base.(provider.ContentProvider); ok && err == nil {
		c.contents, err = chain.Contents(base, c.resolver.Current, mirrors)
	}
	if err != nil {
		return nil, errors.Join(err, closeBase())
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.resolver.Start(following) }) // it ends with following, and never before
	c.close = sync.OnceValue(func() error {
		cancel()
		wg.Wait()
		return closeBase()
	})
	return c, nil
}

// Close stops following the policies and closes idle connections. It may be called more
// than once. Lookups must have ended.
func (c *Client) Close() error { return c.close() }

// Release looks up the release image that pullspec names. The error says what is wrong with
// pullspec or with the credentials, or it is one of [chain.Chain.Lookup].
func (c *Client) Release(ctx context.Context, pullspec string) (*provider.Release, error) {
	req, err := c.request(ctx, pullspec)
	if err != nil {
		return nil, err
	}
	return c.releases.Lookup(ctx, req)
}

// Image opens the image that pullspec names. It need not be a release.
func (c *Client) Image(ctx context.Context, pullspec string) (provider.Image, error) {
	req, err := c.request(ctx, pullspec)
	if err != nil {
		return nil, err
	}
	return c.images.Image(ctx, req)
}

// Releases returns the provider behind Release. It takes whole requests, which may have
// their own credentials.
func (c *Client) Releases() provider.ReleaseProvider { return c.releases }

// Images returns the provider behind Image. It takes whole requests, which may have their
// own credentials.
func (c *Client) Images() provider.ImageProvider { return c.images }

// Contents returns a provider of raw manifests and blobs that uses the same policies. It
// is nil if the Base is no [provider.ContentProvider]. That of package provider/registry is
// one.
func (c *Client) Contents() provider.ContentProvider { return c.contents }

// Resolve returns where pullspec may be pulled from, and why. It asks no
// registry.
func (c *Client) Resolve(pullspec string) (policy.Resolution, error) {
	ref, rules, err := c.parse(pullspec)
	if err != nil {
		return policy.Resolution{}, err
	}
	return rules.Resolve(ref)
}

// Resolver returns the resolver that follows the policies. It reports their status, their
// warnings and their changes.
func (c *Client) Resolver() *sources.Resolver { return c.resolver }

func (c *Client) parse(pullspec string) (imageref.Ref, *policy.Rules, error) {
	ref, err := imageref.Parse(pullspec)
	if err != nil {
		return ref, nil, err
	}
	rules := c.resolver.Current()
	if rules == nil {
		return ref, nil, fmt.Errorf("%s: %w", pullspec, provider.ErrNoRules)
	}
	return ref, rules, nil
}

// request asks for pullspec with the rules that its credentials were found by.
func (c *Client) request(ctx context.Context, pullspec string) (provider.Request, error) {
	ref, rules, err := c.parse(pullspec)
	if err != nil {
		return provider.Request{}, err
	}
	candidates, err := rules.Candidates(ref)
	if err != nil {
		return provider.Request{}, err
	}
	endpoints := make([]imageref.Ref, len(candidates))
	for i, candidate := range candidates {
		endpoints[i] = candidate.Ref
	}
	credentials, err := c.cfg.Credentials(ctx, endpoints...)
	if err != nil {
		return provider.Request{}, fmt.Errorf("credentials for %s: %w", pullspec, err)
	}
	return provider.Request{Image: ref, Platform: c.cfg.Platform, Credentials: credentials, Rules: rules}, nil
}

// open opens the sources of cfg, in order.
func open(ctx context.Context, cfg Config) ([]policy.OverrideSource, error) {
	schemes, err := sources.NewSchemes(append([]sources.Factory{file.Factory(cfg.Files), env.Factory(nil)}, cfg.Schemes...)...)
	if err != nil {
		return nil, err
	}
	var srcs []policy.OverrideSource
	for _, spec := range cfg.Policies {
		src, err := schemes.Open(ctx, file.Spec(spec, schemes))
		if err != nil {
			return nil, err
		}
		srcs = append(srcs, src)
	}
	return slices.Concat(srcs, cfg.Sources), nil
}

// authFiles finds credentials where oc, podman and docker keep them.
func authFiles(log *slog.Logger) func(context.Context, ...imageref.Ref) (provider.Credentials, error) {
	return func(ctx context.Context, endpoints ...imageref.Ref) (provider.Credentials, error) {
		found, err := authfile.Find(ctx, authfile.Config{LookupEnv: os.LookupEnv, UID: os.Getuid()}, endpoints...)
		for _, warning := range found.Warnings {
			log.Warn(warning)
		}
		return found.Credentials, err
	}
}

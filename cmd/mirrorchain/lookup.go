package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// withTimeout bounds ctx by --timeout. Running out of it counts as unreachable.
func (a *app) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.opts.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, a.opts.timeout, &provider.Error{
		Class: provider.ClassTimeout, Err: fmt.Errorf("not finished within --timeout %s", a.opts.timeout),
	})
}

// registry reads the network the way the flags and the environment say: proxies
// and SSL_CERT_FILE are the standard library's business.
func (a *app) registry(disk *diskcache.Cache) (*registry.Provider, error) {
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

// certDirs are those of --cert-dir, which must exist, or those of podman and
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

// credentials are those for the given endpoints and for no other.
func (a *app) credentials(ctx context.Context, cands []policy.Candidate) (authfile.Found, error) {
	refs := make([]imageref.Ref, 0, len(cands))
	for _, c := range cands {
		refs = append(refs, c.Ref)
	}
	found, err := authfile.Find(ctx, authfile.Config{
		Authfile: a.opts.authfile, LookupEnv: a.sys.LookupEnv, UID: a.sys.UID,
	}, refs...)
	if err != nil {
		if ctx.Err() != nil {
			return found, context.Cause(ctx)
		}
		return found, fmt.Errorf("looking for credentials: %w", err)
	}
	for _, w := range found.Warnings {
		a.warnOnce(w)
	}
	for _, u := range found.Uses {
		a.verbosef("%s: %s", u.Ref.Name(), sayUse(u))
	}
	return found, nil
}

// chain is this binary's row of the assembly table around base.
func (a *app) chain(base *registry.Provider, p *policies, disk *diskcache.Cache) (*chain.Chain, error) {
	var from provider.ReleaseProvider = base
	if p.insecureAll {
		from = insecure{base}
	}
	return chain.New(from, func() *policy.Rules { return p.rules }, a.row(disk).Layers...)
}

// insecure calls every endpoint insecure, because the user said so.
type insecure struct{ *registry.Provider }

func (insecure) Name() string { return "insecure registry" }

func (i insecure) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	req.Insecure = true
	return i.Provider.Lookup(ctx, req)
}

func (i insecure) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	req.Insecure = true
	return i.Provider.Open(ctx, req, known)
}

// lookups is what the lookups of one command share.
type lookups struct {
	*app
	policies *policies
	res      policy.Resolution
	base     *registry.Provider
	found    authfile.Found
	chain    *chain.Chain
}

// lookups reads the policies and the credentials for ref, and says what there is to
// say of them. disk is what earlier commands left, or nil. Close it; disk is the
// caller's.
func (a *app) lookups(ctx context.Context, ref refArg, disk *diskcache.Cache) (*lookups, error) {
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return nil, err
	}
	res, err := p.resolve(ref)
	a.warn(p.warnings(err), p.concerned(res))
	if err != nil {
		return nil, about(ref.Text, err)
	}
	if len(res.Candidates) == 0 {
		return nil, &failedLookup{
			head: ref.Text + ": no endpoint is left to ask", attempts: refusedAttempts(res),
			code: exitForbidden, hints: a.hintsForbidden(ref.Text, res),
		}
	}
	a.warnUnmirrored(p, ref, res)
	a.hintName(ref)
	l := &lookups{app: a, policies: p, res: res}
	if l.found, err = a.credentials(ctx, res.Candidates); err != nil {
		return nil, err
	}
	if l.base, err = a.registry(disk); err != nil {
		return nil, err
	}
	if l.chain, err = a.chain(l.base, p, disk); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lookups) close() { _ = l.base.Close() }

// lookup looks ref up and puts the error, if there is one, into words.
func (l *lookups) lookup(ctx context.Context, ref refArg, platform provider.Platform) (*provider.Release, error) {
	stop := l.progress("looking up %s", ref.Text)
	defer stop()
	start := time.Now()
	rel, err := l.chain.Lookup(l.traced(ctx), provider.Request{Image: ref.Ref, Platform: platform, Credentials: l.found.Credentials})
	stop()
	if err != nil {
		return nil, l.failed(ctx, ref, err, l.policies, l.res, l.found, time.Since(start))
	}
	return rel, nil
}

func (a *app) lookup(ctx context.Context, ref refArg, platform provider.Platform, disk *diskcache.Cache) (*provider.Release, error) {
	l, err := a.lookups(ctx, ref, disk)
	if err != nil {
		return nil, err
	}
	defer l.close()
	rel, err := l.lookup(ctx, ref, platform)
	if err == nil {
		a.hint(l.policies.hintTag(l.res))
	}
	return rel, err
}

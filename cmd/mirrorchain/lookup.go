package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
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

// lookups is what the lookups of one command share.
type lookups struct {
	*app
	policies *policies
	x        policy.Explanation
	base     reader
	found    authfile.Found
	chain    *chain.Chain
}

// lookups reads the policies and the credentials for ref, and says what is noticed
// about them. disk is what earlier commands left, or nil. Close the result; disk is
// the caller's.
func (a *app) lookups(ctx context.Context, ref refArg, disk *diskcache.Cache) (*lookups, error) {
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return nil, err
	}
	l := &lookups{app: a, policies: p}
	if err := l.about(ctx, ref); err != nil {
		return nil, err
	}
	if l.base, err = a.reader(disk); err != nil {
		return nil, err
	}
	if l.chain, err = chain.New(l.base, func() *policy.Rules { return p.rules }, a.row(disk).Layers...); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// naming returns the image that a command is about. The platform is that of --arch.
type naming func(ctx context.Context, platform provider.Platform) (refArg, error)

// asking runs do with lookups of one image, within --timeout.
func (a *app) asking(ctx context.Context, arch string, image naming, do func(ctx context.Context, l *lookups, ref refArg, platform provider.Platform) error) error {
	platform, err := parseArch(arch)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	ref, err := image(ctx, platform)
	if err != nil {
		return err
	}
	l, err := a.lookups(ctx, ref, nil)
	if err != nil {
		return err
	}
	defer l.close()
	return do(ctx, l, ref, platform)
}

// alsoFor returns lookups of another reference under the same policies. What it reads
// with is l's, and closed with l.
func (l *lookups) alsoFor(ctx context.Context, ref refArg) (*lookups, error) {
	c := *l
	return &c, c.about(ctx, ref)
}

// about makes l one about ref: it reads the credentials, and says what is noticed.
func (l *lookups) about(ctx context.Context, ref refArg) (err error) {
	p := l.policies
	l.x, err = p.explain(ref)
	l.warn(p.warnings(err), l.x)
	if err != nil {
		return about(ref.Text, err)
	}
	if len(l.x.Candidates) == 0 {
		return &failure.Lookup{
			Head: ref.Text + ": policy leaves no endpoint to ask", Attempts: failure.Refusals(l.x.Refused), Code: failure.ExitForbidden,
			Hints: []string{l.advice(ref.Text, authfile.Found{}).Blocked(l.x.Resolution)},
		}
	}
	if l.fromPaths() == "" {
		l.warnUnmirrored(p, ref, l.x)
	}
	l.hintName(ref, l.x)
	l.found, err = l.credentials(ctx, l.x.Candidates)
	return err
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
		return nil, l.failed(ctx, ref, err, time.Since(start))
	}
	return rel, nil
}

// failed puts the error of a chain into words.
func (l *lookups) failed(ctx context.Context, ref refArg, err error, took time.Duration) error {
	e, ok := errors.AsType[*chain.Error](err)
	if !ok {
		return fmt.Errorf("looking up %s: %w", ref.Text, err)
	}
	if l.fromPaths() != "" && ctx.Err() == nil && len(e.Attempts) > 0 {
		return about(ref.Text, e.Attempts[0].Err)
	}
	f := &failure.Lookup{Attempts: e.Attempts, Code: failure.Code(err)}
	// ended adds the endpoints that were being asked when the time was over.
	ended := func(why func(imageref.Ref) error) {
		f.Attempts = append(slices.Clone(e.Attempts), failure.Unanswered(l.x.Candidates, e.Attempts, took, why)...)
		f.Code = failure.AttemptsCode(ref.Ref, f.Attempts)
	}
	switch {
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		f.Head = fmt.Sprintf("%s: no endpoint answered with it (%s)", ref.Text, failure.Asked(f.Attempts, " in "+words.Duration(took).String()))
	case errors.Is(err, context.DeadlineExceeded):
		f.Head = fmt.Sprintf("%s: no endpoint answered within --timeout %s", ref.Text, l.opts.timeout)
		ended(failure.OutOfTime)
	default:
		f.Head = fmt.Sprintf("%s: no endpoint had answered after %s", ref.Text, words.Duration(took))
		ended(failure.Interrupted)
	}
	f.Hints = append(notices.Hints(l.x), l.advice(ref.Text, l.found).Hints(f.Attempts, l.x.Resolution)...)
	return f
}

// advice gives hints about lookups of ref.
func (a *app) advice(ref string, found authfile.Found) failure.Advice {
	dirs, _ := a.certDirs() // an error has been told
	proxy, unread := a.proxy()
	return failure.Advice{
		Timeout: a.opts.timeout, CertDirs: dirs, Proxy: proxy, ProxyUnread: unread, Credentials: found, Explain: a.commandLine("explain", ref),
	}
}

// outOfTime returns err, and in place of one about time the error of an endpoint that
// --timeout cut short, where that has ended ctx.
func outOfTime(ctx context.Context, ref imageref.Ref, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && provider.ClassOf(err) == provider.ClassTimeout {
		return failure.OutOfTime(ref)
	}
	return err
}

// proxy returns the name of the proxy variable that is set, "" for none, and whether it holds
// something that is no URL, which [http.ProxyFromEnvironment] passes over.
func (a *app) proxy() (name string, unread bool) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if value := a.sys.getenv(name); value != "" {
			_, whole := url.Parse(value)
			_, host := url.Parse("http://" + value)
			return name, whole != nil && host != nil
		}
	}
	return "", false
}

// credentials returns those for the given endpoints and for no other.
func (a *app) credentials(ctx context.Context, cands []policy.Candidate) (authfile.Found, error) {
	if a.fromPaths() != "" {
		return authfile.Found{}, nil
	}
	if a.view != nil && a.opts.authfile == "" {
		return authfile.Found{Credentials: a.view.credentials}, nil
	}
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
		a.verbosef("%s: %s", u.Ref.Name(), failure.Use(u))
	}
	return found, nil
}

package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/mirrorchain/mirrorchain/provider"
)

// fetches traces what a base provider reads.
type fetches struct {
	*Tracing
	base provider.Opener
}

var (
	_ provider.Reopener = (*fetches)(nil)
	_ provider.Restorer = (*fetches)(nil)
)

// Name is that of the base, as a chain prints it.
func (f *fetches) Name() string {
	if b, ok := f.base.(interface{ Name() string }); ok {
		return b.Name()
	}
	pkg, _, _ := strings.Cut(strings.TrimLeft(fmt.Sprintf("%T", f.base), "*"), ".")
	return pkg
}

func (f *fetches) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	o, err := f.Open(ctx, req)
	if err != nil {
		return nil, err
	}
	return o.Release(ctx)
}

func (f *fetches) Open(ctx context.Context, req provider.Request) (provider.Opened, error) {
	ctx, span := f.startAt(ctx, "fetch manifest", &req)
	o, err := f.base.Open(ctx, req)
	return f.opened(span, req, o, err)
}

// Reopen is Open where the base cannot do better, which [provider.Reopener] allows.
func (f *fetches) Reopen(ctx context.Context, req provider.Request, named string) (provider.Opened, error) {
	base, ok := f.base.(provider.Reopener)
	if !ok {
		return f.Open(ctx, req)
	}
	ctx, span := f.startAt(ctx, "fetch manifest", &req)
	o, err := base.Reopen(ctx, req, named)
	span.SetAttributes(keyUnchanged.Bool(err == nil && o == nil))
	return f.opened(span, req, o, err)
}

func (f *fetches) opened(span trace.Span, req provider.Request, o provider.Opened, err error) (provider.Opened, error) {
	if o != nil {
		span.SetAttributes(keyDigest.String(o.Digest()))
		o = &opened{o, f.Tracing, req}
	}
	end(span, err)
	return o, err
}

// Restore is what the base has kept.
func (f *fetches) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	return restore(ctx, f.base, req, digest, platform)
}

// restore asks nobody, and so is in no span. Who keeps nothing has nothing.
func restore(ctx context.Context, from provider.ReleaseProvider, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	if r, ok := from.(provider.Restorer); ok {
		return r.Restore(ctx, req, digest, platform)
	}
	return nil, &provider.Error{Op: "restoring the release", Ref: req.Image, Class: provider.ClassNotFound, Err: errors.New("nothing is kept")}
}

type opened struct {
	provider.Opened
	tracing *Tracing
	req     provider.Request
}

func (o *opened) Release(ctx context.Context) (*provider.Release, error) {
	ctx, span := o.tracing.startAt(ctx, "fetch release", &o.req)
	r, err := o.Opened.Release(ctx)
	return done(span, r, err)
}

package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"github.com/mirrorchain/mirrorchain/provider"
)

// fetches traces what a base provider reads.
type fetches struct {
	provider.Forward
	*Tracing
}

func (f *fetches) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	o, err := f.Open(ctx, req, "")
	if err != nil {
		return nil, err
	}
	return o.Release(ctx)
}

func (f *fetches) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	ctx, span := f.startAt(ctx, "fetch manifest", &req)
	o, err := f.Forward.Open(ctx, req, known)
	if known != "" {
		span.SetAttributes(keyUnchanged.Bool(err == nil && o == nil))
	}
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

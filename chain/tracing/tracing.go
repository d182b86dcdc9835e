// Package tracing makes OpenTelemetry spans of what happens in a chain: one around
// each lookup, one around each endpoint that is asked, one around each fetch of a
// manifest or a release.
//
// The package uses the OpenTelemetry API alone. The TracerProvider that is passed in
// decides which spans are kept, and where they go. Spans hold references, digests, versions and
// classes of errors, and nothing secret.
//
// Its three parts belong at these places in a chain:
//
//	t := tracing.New(provider)
//	chain.New(t.Fetches(base), current,
//		t.Lookups(),                           // outermost
//		chain.Cache(chain.CacheConfig{Carry: t.Carry}),
//		chain.Mirrors(chain.MirrorsConfig{}),
//		t.Attempts(),                          // directly below Mirrors
//		chain.Store(chain.StoreConfig{Carry: t.Carry}),
//	)
package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// scope names the instrumentation.
const scope = "github.com/mirrorchain/mirrorchain/chain/tracing"

// Names of attributes.
const (
	keyImage      = attribute.Key("mirrorchain.image")       // what was asked for
	keyEndpoint   = attribute.Key("mirrorchain.endpoint")    // the reference at the endpoint that was asked
	keyRules      = attribute.Key("mirrorchain.rules")       // version of the rules
	keyRelease    = attribute.Key("mirrorchain.release")     // its version
	keyDigest     = attribute.Key("mirrorchain.digest")      // of the manifest that was read
	keyPulledFrom = attribute.Key("mirrorchain.pulled_from") // the endpoint that served it
	keyStale      = attribute.Key("mirrorchain.stale")       // from the cache, because no endpoint answered
	keyUnchanged  = attribute.Key("mirrorchain.unchanged")   // the registry says that it is as it was
	keyClass      = attribute.Key("error.type")              // the class of an error
	keyServer     = attribute.Key("server.address")          // host and port of the endpoint
)

// Tracing makes the spans. It is safe for concurrent use and may serve several
// chains.
type Tracing struct{ tracer trace.Tracer }

// New returns a Tracing whose spans tp makes.
func New(tp trace.TracerProvider) *Tracing { return &Tracing{tp.Tracer(scope)} }

// Lookups returns the layer "trace", which makes a span for each lookup, as long as its
// caller waits. It belongs above all layers but Observe.
func (t *Tracing) Lookups() chain.Layer {
	return chain.Layer{
		Name: "trace", Above: []string{"translate", "components", "cache", "mirrors", "store"},
		Wrap: func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return &spanned{provider.Forward{Next: next}, func(ctx context.Context, req *provider.Request) (context.Context, trace.Span) {
				return t.start(ctx, "lookup", keyImage.String(req.Image.String()), keyRules.String(versionOf(req)))
			}}, nil
		},
	}
}

// Attempts returns the layer "trace-attempts", which makes a span for each endpoint that
// is asked. It belongs directly below Mirrors.
func (t *Tracing) Attempts() chain.Layer {
	return chain.Layer{
		Name: "trace-attempts", Above: []string{"store"},
		Wrap: func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return &spanned{provider.Forward{Next: next}, func(ctx context.Context, req *provider.Request) (context.Context, trace.Span) {
				return t.startAt(ctx, "attempt", req)
			}}, nil
		},
	}
}

// spanned makes a span around each lookup of the provider below.
type spanned struct {
	provider.Forward
	start func(context.Context, *provider.Request) (context.Context, trace.Span)
}

func (s *spanned) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	ctx, span := s.start(ctx, &req)
	r, err := s.Next.Lookup(ctx, req)
	return done(span, r, err)
}

// Fetches returns base with a span for each manifest and each release that it reads.
func (t *Tracing) Fetches(base provider.Opener) provider.Opener {
	return &fetches{provider.Forward{Next: base}, t}
}

// Carry puts work that callers share into the trace of the first caller. It is for the
// fields Carry of [chain.CacheConfig] and [chain.StoreConfig].
func (t *Tracing) Carry(caller, work context.Context) context.Context {
	return trace.ContextWithSpan(work, trace.SpanFromContext(caller))
}

func (t *Tracing) start(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, "mirrorchain."+name, trace.WithAttributes(attrs...))
}

func (t *Tracing) startAt(ctx context.Context, name string, req *provider.Request) (context.Context, trace.Span) {
	return t.start(ctx, name, keyEndpoint.String(req.Image.String()), keyServer.String(req.Image.Registry()), keyRules.String(versionOf(req)))
}

// done ends span with the result of a lookup.
func done(span trace.Span, r *provider.Release, err error) (*provider.Release, error) {
	if err == nil && r != nil {
		span.SetAttributes(keyRelease.String(r.Version()), keyDigest.String(r.Digest()),
			keyPulledFrom.String(r.PulledFrom().String()), keyStale.Bool(r.Stale()))
	}
	end(span, err)
	return r, err
}

func end(span trace.Span, err error) {
	if err != nil {
		span.SetAttributes(keyClass.String(provider.ClassOf(err).String()))
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

func versionOf(req *provider.Request) string {
	if req.Rules == nil {
		return ""
	}
	return req.Rules.Version()
}

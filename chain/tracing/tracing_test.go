package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/tracing"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// traced returns a chain on a mirror that has the release, behind one that has not.
func traced(t *testing.T) (lookup func(context.Context) error, spans *tracetest.SpanRecorder, password string) {
	t.Helper()
	password = "s3cr3t-password"
	reg, err := testregistry.Start(testregistry.Config{Auth: testregistry.Auth{
		Scheme: testregistry.Bearer, Users: []testregistry.User{{Name: "user", Password: password}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	img := testpayload.Must(testpayload.Release{Components: 4, Manifests: 4, BaseLayers: []int64{10}}.Image())
	reg.Push("mirror/release", "", img)
	base, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = base.Close() })
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: "source.test/release", Kind: policy.KindMirror, NeverContactSource: true,
		Mirrors: []policy.Mirror{{Location: reg.Host() + "/absent"}, {Location: reg.Host() + "/mirror/release"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	spans = tracetest.NewSpanRecorder()
	tr := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	c, err := chain.New(tr.Fetches(base), func() *policy.Rules { return rules },
		tr.Lookups(), chain.Cache(chain.CacheConfig{Carry: tr.Carry}), chain.Mirrors(chain.MirrorsConfig{HedgeUnknown: time.Hour, HedgeKnown: time.Hour}),
		tr.Attempts(), chain.Store(chain.StoreConfig{Carry: tr.Carry}))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.String(); got != "trace > cache > mirrors > trace-attempts > store > registry" {
		t.Errorf("chain %s", got)
	}
	credentials, err := provider.NewCredentials(map[string]provider.Credential{reg.Host(): provider.NewCredential("user", password)})
	if err != nil {
		t.Fatal(err)
	}
	image := imageref.MustParse("source.test/release@" + img.Digest)
	return func(ctx context.Context) error {
		_, err := c.Lookup(ctx, provider.Request{Image: image, Credentials: credentials})
		return err
	}, spans, password
}

// One lookup is one trace: the caller's span, the lookup, its attempts, what each of
// them fetched, through all the work that callers could have shared.
func TestSpans(t *testing.T) {
	lookup, spans, password := traced(t)
	parent, end := sdktrace.NewTracerProvider().Tracer("test").Start(t.Context(), "caller")
	if err := lookup(parent); err != nil {
		t.Fatal(err)
	}
	end.End()
	names := make(map[string]string) // by span ID
	for _, s := range spans.Ended() {
		names[s.SpanContext().SpanID().String()] = s.Name()
	}
	var tree []string
	for _, s := range spans.Ended() {
		if s.SpanContext().TraceID() != end.SpanContext().TraceID() {
			t.Errorf("%s is in another trace", s.Name())
		}
		line := s.Name() + " < " + names[s.Parent().SpanID().String()]
		if s.Status().Description != "" {
			line += ": " + value(s, "error.type")
		}
		tree = append(tree, line)
		if text := fmt.Sprint(s.Attributes(), s.Status(), s.Events()); strings.Contains(text, password) {
			t.Errorf("%s holds the password: %s", s.Name(), text)
		}
	}
	slices.Sort(tree)
	want := []string{
		"mirrorchain.attempt < mirrorchain.lookup",
		"mirrorchain.attempt < mirrorchain.lookup: not-found",
		"mirrorchain.fetch manifest < mirrorchain.attempt",
		"mirrorchain.fetch manifest < mirrorchain.attempt: not-found",
		"mirrorchain.fetch release < mirrorchain.attempt",
		"mirrorchain.lookup < ",
	}
	if !slices.Equal(tree, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(tree, "\n"), strings.Join(want, "\n"))
	}
	for _, s := range spans.Ended() {
		if s.Name() == "mirrorchain.lookup" && (value(s, "mirrorchain.release") != "4.17.3" || !strings.Contains(value(s, "mirrorchain.pulled_from"), "/mirror/release@")) {
			t.Errorf("the lookup says %v", s.Attributes())
		}
	}

	// A warm lookup asks nobody.
	before := len(spans.Ended())
	if err := lookup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(spans.Ended()) - before; n != 1 {
		t.Errorf("%d spans of a warm lookup, want 1", n)
	}
}

func value(s sdktrace.ReadOnlySpan, key string) string {
	for _, kv := range s.Attributes() {
		if kv.Key == attribute.Key(key) {
			return kv.Value.Emit()
		}
	}
	return ""
}

// The wrapped base does what the base does, and says so where it cannot.
func TestFetchesForwards(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tr := tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	base := plain{errors.New("away")}
	f := tr.Fetches(base)
	if _, err := f.Open(t.Context(), provider.Request{}, ""); !errors.Is(err, base.err) {
		t.Errorf("Open: %v", err)
	}
	if _, err := f.(provider.Restorer).Restore(t.Context(), provider.Request{}, "", provider.Platform{}); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Restore of a base without it: %v", err)
	}
	if n := len(spans.Ended()); n != 1 {
		t.Errorf("%d spans, want that of Open", n)
	}
}

type plain struct{ err error }

func (p plain) Lookup(context.Context, provider.Request) (*provider.Release, error) {
	return nil, p.err
}
func (p plain) Open(context.Context, provider.Request, string) (provider.Opened, error) {
	return nil, p.err
}

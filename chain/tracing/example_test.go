package tracing_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/tracing"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A program plugs in the TracerProvider that it has, with the exporter of its choice;
// this one collects. Fetches is left out, since this base reads no registry.
func Example() {
	exporter := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	base := provider.ReleaseFunc(func(_ context.Context, req provider.Request) (*provider.Release, error) {
		if req.Image.Registry() == "away.example.com" {
			return nil, &provider.Error{Op: "reading", Class: provider.ClassUnreachable}
		}
		return provider.NewRelease(provider.ReleaseData{
			Version: "4.17.3", Digest: "sha256:" + strings.Repeat("1", 64), Image: req.Image, PulledFrom: req.Image,
		})
	})
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: "quay.io/ocp", Mirrors: []policy.Mirror{{Location: "away.example.com/ocp"}, {Location: "mirror.example.com/ocp"}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	t := tracing.New(tp)
	c, err := chain.New(base, func() *policy.Rules { return rules },
		t.Lookups(),
		chain.Cache(chain.CacheConfig{Carry: t.Carry}),
		chain.Mirrors(chain.MirrorsConfig{}),
		t.Attempts(),
	)
	if err != nil {
		log.Fatal(err)
	}
	image := imageref.MustParse("quay.io/ocp/release@sha256:" + strings.Repeat("1", 64))
	if _, err := c.Lookup(context.Background(), provider.Request{Image: image}); err != nil {
		log.Fatal(err)
	}

	for _, span := range exporter.GetSpans() {
		fmt.Print(span.Name)
		for _, a := range span.Attributes {
			switch a.Key {
			case "server.address", "error.type", "mirrorchain.release":
				fmt.Printf(" %s=%s", a.Key, a.Value.AsString())
			}
		}
		fmt.Println()
	}
	// Output:
	// mirrorchain.attempt server.address=away.example.com error.type=unreachable
	// mirrorchain.attempt server.address=mirror.example.com mirrorchain.release=4.17.3
	// mirrorchain.lookup mirrorchain.release=4.17.3
}

// Command lookup finds a release through the mirrors of an IDMS file and says
// what is in it and who served it.
//
//	lookup idms.yaml pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: lookup POLICY-FILE PULL-SECRET PULLSPEC")
	}
	if err := run(context.Background(), os.Stdout, registry.Config{}, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, cfg registry.Config, policyFile, pullSecretFile, pullspec string) error {
	// Sources say what the policies are; the resolver merges them.
	// A program that keeps running also calls rules.Start, which follows them.
	policies, err := file.Open(policyFile, file.Config{})
	if err != nil {
		return err
	}
	rules, err := sources.NewResolver(ctx, sources.ResolverConfig{}, policies)
	if err != nil {
		return err
	}

	// The chain decides where to look; the registry provider at its end reads.
	base, err := registry.New(cfg)
	if err != nil {
		return err
	}
	defer base.Close()
	lookup, err := chain.New(base, rules.Current,
		chain.Cache(chain.CacheConfig{}),
		chain.Mirrors(chain.MirrorsConfig{}),
		chain.Store(chain.StoreConfig{}),
	)
	if err != nil {
		return err
	}

	// A request is a value: what to look up, and with whose credentials.
	image, err := imageref.Parse(pullspec)
	if err != nil {
		return err
	}
	pullSecret, err := os.ReadFile(pullSecretFile)
	if err != nil {
		return err
	}
	credentials, err := provider.ParseCredentials(pullSecret)
	if err != nil {
		return fmt.Errorf("%s: %w", pullSecretFile, err)
	}
	release, err := lookup.Lookup(ctx, provider.Request{Image: image, Credentials: credentials})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, served by %s\n", release.Version(), release.PulledFrom().Registry())
	for c := range release.Components() {
		fmt.Fprintf(out, "%-30s %s\n", c.Name, c.Image)
	}
	return nil
}

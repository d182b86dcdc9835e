// Command customlayer puts a layer of its own into a chain: one that refuses
// releases older than a version, whoever serves them.
//
//	customlayer 4.16.0 quay.io/openshift-release-dev/ocp-release@sha256:...
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// atLeast returns a layer. It goes above the cache: what it refuses may be cached all
// the same, and a change of the minimum needs no new lookup.
func atLeast(minimum string) chain.Layer {
	return chain.Layer{
		Name:  "at-least",
		Above: []string{"cache", "mirrors", "store"},
		Wrap: func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return provider.ReleaseFunc(func(ctx context.Context, req provider.Request) (*provider.Release, error) {
				release, err := next.Lookup(ctx, req)
				if err != nil {
					return nil, err
				}
				if older(release.Version(), minimum) {
					return nil, fmt.Errorf("%s is release %s; at least %s is wanted", req.Image, release.Version(), minimum)
				}
				return release, nil
			}), nil
		},
	}
}

// older compares MAJOR.MINOR.PATCH; what follows the numbers is ignored.
func older(version, minimum string) bool {
	var v, m [3]int
	fmt.Sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2])
	fmt.Sscanf(minimum, "%d.%d.%d", &m[0], &m[1], &m[2])
	for i := range v {
		if v[i] != m[i] {
			return v[i] < m[i]
		}
	}
	return false
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: customlayer MINIMUM-VERSION PULLSPEC")
	}
	if err := run(context.Background(), os.Stdout, registry.Config{}, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, cfg registry.Config, minimum, pullspec string) error {
	base, err := registry.New(cfg)
	if err != nil {
		return err
	}
	defer base.Close()
	none, err := policy.NewRules(policy.RulesConfig{}) // no policies: straight to the source
	if err != nil {
		return err
	}
	lookup, err := chain.New(base, func() *policy.Rules { return none },
		atLeast(minimum),
		chain.Cache(chain.CacheConfig{}),
		chain.Mirrors(chain.MirrorsConfig{}),
	)
	if err != nil {
		return err
	}
	image, err := imageref.Parse(pullspec)
	if err != nil {
		return err
	}
	release, err := lookup.Lookup(ctx, provider.Request{Image: image})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s through %s\n", release.Version(), lookup)
	return nil
}

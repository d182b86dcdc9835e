package sources_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// A program lists the plugins it knows, opens what its user names, and merges
// what they say.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "policies")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "idms.yaml")
	if err := os.WriteFile(path, []byte(`
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: releases}
spec:
  imageDigestMirrors:
  - source: quay.io/openshift-release-dev
    mirrors: [mirror.example.com/ocp]
    mirrorSourcePolicy: NeverContactSource
`), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	environment := func(string) (string, bool) { return "registry.redhat.io=mirror.example.com/redhat", true }

	registry, err := sources.NewSchemes(file.Factory(file.Config{}), env.Factory(environment))
	if err != nil {
		fmt.Println(err)
		return
	}
	policies, err := registry.Open(ctx, "file:"+path)
	if err != nil {
		fmt.Println(err)
		return
	}
	handedOn, err := registry.Open(ctx, "env:"+handover.ImageOverridesVariable)
	if err != nil {
		fmt.Println(err)
		return
	}
	resolver, err := sources.NewResolver(ctx, sources.ResolverConfig{}, policies, handedOn)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A long-running program also runs resolver.Start in a goroutine of its own.

	for _, image := range []string{
		"quay.io/openshift-release-dev/ocp-release@sha256:b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184",
		"registry.redhat.io/ubi9:latest",
	} {
		candidates, err := resolver.Current().Candidates(imageref.MustParse(image))
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, c := range candidates {
			fmt.Println(c.Ref.Name(), c.Mirror)
		}
	}
	// Output:
	// mirror.example.com/ocp/ocp-release true
	// mirror.example.com/redhat/ubi9 true
	// registry.redhat.io/ubi9 false
}

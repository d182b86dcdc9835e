// Command lookup finds a release through the mirrors of an IDMS file and says
// what is in it and who served it. Credentials are those of oc, podman and docker.
//
//	lookup idms.yaml quay.io/openshift-release-dev/ocp-release@sha256:...
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mirrorchain/mirrorchain"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: lookup POLICIES PULLSPEC")
	}
	if err := run(context.Background(), os.Stdout, mirrorchain.Config{Policies: os.Args[1:2]}, os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, cfg mirrorchain.Config, pullspec string) error {
	client, err := mirrorchain.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	release, err := client.Release(ctx, pullspec)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, served by %s\n", release.Version(), release.PulledFrom().Registry())
	for c := range release.Components() {
		fmt.Fprintf(out, "%-30s %s\n", c.Name, c.Image)
	}
	return nil
}

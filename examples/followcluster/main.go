// Command followcluster follows the mirror policies of a cluster and prints where
// an image would be pulled from, and after each change of the policies what is
// different: lines with + are new, those with - are no longer so.
//
//	followcluster quay.io/openshift-release-dev/ocp-release@sha256:...
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/icsp"
	"github.com/mirrorchain/mirrorchain/sources/idms"
	"github.com/mirrorchain/mirrorchain/sources/imageconfig"
	"github.com/mirrorchain/mirrorchain/sources/itms"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: followcluster PULLSPEC")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// The zero value is the cluster that kubectl would ask. A program that has a
	// *rest.Config already sets REST.
	if err := run(ctx, os.Stdout, idms.Config{}, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, cluster idms.Config, pullspec string) error {
	image, err := imageref.Parse(pullspec)
	if err != nil {
		return err
	}
	var srcs []policy.OverrideSource
	for _, kind := range []sources.Factory{icsp.Factory(cluster), idms.Factory(cluster), itms.Factory(cluster), imageconfig.Factory(cluster)} {
		src, err := kind.Open(ctx, "")
		if err != nil {
			return err
		}
		srcs = append(srcs, src)
	}
	// Fails for what only editing mends; a cluster that is away is waited for.
	resolver, err := sources.NewResolver(ctx, sources.ResolverConfig{}, srcs...)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- resolver.Start(ctx) }()
	if resolver.Current() == nil {
		for _, s := range resolver.Status() {
			if s.Err != nil {
				fmt.Fprintf(out, "waiting for %s: %v\n", s.Name, s.Err)
			}
		}
	}
	var before []string
	for rules := range resolver.Changes(ctx) {
		now := answer(rules, image)
		fmt.Fprintf(out, "by the rules %.12s:\n", rules.Version())
		difference(out, before, now)
		before = now
	}
	return <-ended
}

// answer returns what rules say of image, a line for each endpoint in the order tried.
func answer(rules *policy.Rules, image imageref.Ref) (lines []string) {
	resolution, err := rules.Resolve(image)
	if err != nil {
		return []string{err.Error()}
	}
	for i, c := range resolution.Candidates {
		lines = append(lines, fmt.Sprintf("%d. %s %v", i+1, c.Ref, c.Origins))
	}
	for _, r := range resolution.Refused {
		lines = append(lines, fmt.Sprintf("not %s, blocked by %s", r.Ref, r.By))
	}
	return lines
}

func difference(out io.Writer, before, now []string) {
	for _, line := range before {
		if !slices.Contains(now, line) {
			fmt.Fprintf(out, "- %s\n", line)
		}
	}
	for _, line := range now {
		mark := "+"
		if slices.Contains(before, line) {
			mark = " "
		}
		fmt.Fprintf(out, "%s %s\n", mark, line)
	}
}

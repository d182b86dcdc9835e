package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
)

func (a *app) imageCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Look at any image through its mirrors",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(a.imageDigestCmd(), a.imageFilesCmd(), a.imageTagsCmd())
	return showing(cmd)
}

// imageDigest is the JSON of image digest.
type imageDigest struct {
	Image string `json:"image"`
	// Digest is that of what the reference names, or of the entry for --arch.
	Digest     string `json:"digest"`
	PulledFrom string `json:"pulledFrom"`
	notices.Notices
}

func (a *app) imageDigestCmd() *cobra.Command {
	var arch string
	cmd := &cobra.Command{
		Use:   "digest IMAGE",
		Short: "Print the digest of an image",
		Long: `image digest asks the endpoints of an image in order, as a pull does, and prints the
digest at the first one that has the image. For an index it prints the digest of the index
or, with --arch, of the entry for that platform.`,
		Example: `  mirrorchain image digest -s idms.yaml quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64

  # of one architecture, and who said it
  mirrorchain image digest --arch arm64 -o json IMAGE`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error { return a.imageDigest(cmd.Context(), args[0], arch) },
	}
	archFlag(cmd, &arch)
	a.fromFlag(cmd)
	return cmd
}

func (a *app) imageDigest(ctx context.Context, arg, arch string) error {
	return a.asking(ctx, arch, imageOf(arg), func(ctx context.Context, l *lookups, ref refArg, platform provider.Platform) error {
		result := imageDigest{Image: ref.Text, Notices: l.policies.notices()}
		if arch != "" {
			image, err := l.image(ctx, ref, platform)
			if err != nil {
				return err
			}
			result.Digest, result.PulledFrom = image.Digest(), image.PulledFrom().String()
		} else {
			found, err := l.find(ctx, ref)
			if err != nil {
				return err
			}
			result.Digest, result.PulledFrom = found.Digest, found.From.String()
		}
		for _, h := range notices.Hints(l.x) {
			a.hint(h)
		}
		return a.print(result, func(w io.Writer) { fmt.Fprint(w, output.Line("%s", result.Digest)) })
	})
}

// find asks which endpoint has ref, and under which digest.
func (l *lookups) find(ctx context.Context, ref refArg) (chain.Found, error) {
	finder, err := chain.NewFinder(l.base, l.rules, chain.FinderConfig{MirrorsConfig: chain.MirrorsConfig{Observer: l.observer()}})
	if err != nil {
		return chain.Found{}, err
	}
	stop := l.progress("looking for %s", ref.Text)
	defer stop()
	start := time.Now()
	found, err := finder.Find(l.traced(ctx), provider.Request{Image: ref.Ref, Credentials: l.found.Credentials})
	stop()
	if err != nil {
		return found, l.failed(ctx, ref, err, time.Since(start))
	}
	return found, nil
}

// imageTags is the JSON of image tags.
type imageTags struct {
	Repository string   `json:"repository"`
	From       string   `json:"from"` // the endpoint that listed them
	Tags       []string `json:"tags"`
	notices.Notices
}

func (a *app) imageTagsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tags REPOSITORY",
		Short: "List the tags of a repository",
		Long: `image tags asks the endpoints that a tag of a repository would be pulled from, in order,
and prints the tags of the first one that answers, in its order. Mirrors that serve only
digests are not asked. To see what one of them has, name the mirror itself.`,
		Example: `  mirrorchain image tags mirror.example.com:5000/openshift/release-images

  # releases of one minor version
  mirrorchain image tags quay.io/openshift-release-dev/ocp-release | grep '^4\.17\.'`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error { return a.imageTags(cmd.Context(), args[0]) },
	}
	a.fromFlag(cmd)
	return cmd
}

func (a *app) imageTags(ctx context.Context, arg string) error {
	ref, err := parseRef(arg)
	if err != nil {
		return err
	}
	if ref.Digest() != "" || ref.Tag() != "" {
		return failure.Usagef("%s: want a repository, without tag and digest", ref.Text)
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	l, err := a.lookups(ctx, ref, nil)
	if err != nil {
		return err
	}
	defer l.close()
	stop := a.progress("listing the tags of %s", ref.Text)
	defer stop()
	failed := &chain.Error{Image: ref.Ref}
	start := time.Now()
	for i, c := range l.x.Candidates {
		began := time.Now()
		tags, err := l.base.Tags(l.traced(ctx), provider.Request{
			Image: c.Ref, Insecure: c.Insecure, Credentials: l.found.Credentials, Rules: l.policies.rules, Last: i == len(l.x.Candidates)-1,
		})
		if err == nil {
			stop()
			for _, h := range notices.Hints(l.x) {
				a.hint(h)
			}
			result := imageTags{ref.Text, c.Ref.Name(), output.List(tags), l.policies.notices()}
			return a.print(result, func(w io.Writer) { io.WriteString(w, output.Lines(tags)) })
		}
		failed.Attempts = append(failed.Attempts, provider.Attempt{Ref: c.Ref, Err: outOfTime(ctx, c.Ref, err), Took: time.Since(began)})
		if ctx.Err() != nil {
			break
		}
	}
	stop()
	failed.Attempts = append(failed.Attempts, failure.Refusals(l.x.Refused)...)
	return l.failed(ctx, ref, failed, time.Since(start))
}

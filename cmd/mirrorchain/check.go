package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
)

// defaultPerRegistry bounds the requests that one registry gets at once.
const defaultPerRegistry = 16

// checkOptions are the flags of release check.
type checkOptions struct {
	archs       []string
	sources     bool
	perRegistry int
}

func (a *app) releaseCheckCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check REF",
		Short: "Find out whether every image of a release is on the mirrors",
		Long: `release check looks a release up, as release info does, and asks the mirrors for
every image of it: the release itself, all components, and the KubeVirt boot images,
which mirroring tools do not find by themselves. It asks for manifests, one small
request each, and reads no content: it does not see that a registry has lost a layer.
An image with several names counts once.

The answer is the one that a node would get. A node chooses a mirror by what the
reference names, and takes everything from that one. So if the release is an index,
its mirror, and that of each component, is asked for the entry of each architecture as
well. An image of which that mirror lacks an entry is missing, even if the next mirror
has it; the report says so.

Mirrors are what policy names. The source is not asked for what they lack, because the
question is whether a cluster that cannot reach the source could be installed. With
--sources it is asked, as nodes would. An image that no policy names a mirror for is
asked for at its source in any case, and stderr says how many these are.

Images that are not available are listed in groups that failed alike, with every
endpoint that was asked and why it failed. Some proxy caches deny to a HEAD request
what they serve: they are asked by GET as well. A registry that answers 429 gets the
time it asks for. If --timeout runs out, or after Ctrl-C, what is known is printed.

An image is missing if every endpoint asked says that it does not have it; if one of
them could not be asked, nobody knows. -o junit makes a test case of each image: a
failure if it is missing, an error if it could not be asked for. Exit code 3 says that
images are missing; if none is and some could not be asked for, the code says why, as
for a lookup.`,
		Example: `  # can the cluster be updated from the mirrors that the policies name?
  mirrorchain release check -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...

  # both architectures of a release that has several
  mirrorchain release check -s cluster: --arch amd64,arm64 REF

  # the names of what is missing
  mirrorchain release check -s idms.yaml -o json REF | jq -r '.images[] | select(.status != "found").image'

  # for a CI system
  mirrorchain release check -s idms.yaml -o junit REF > mirrors.xml`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.releaseCheck(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.archs, "arch", nil, "`PLATFORMS` to check of an index: ARCH or OS/ARCH[/VARIANT],... (default linux on this program's own)")
	f.StringSliceVar(&o.archs, "platform", nil, "the same as --arch `PLATFORMS`")
	f.BoolVar(&o.sources, "sources", false, "ask the source too for what no mirror has")
	f.IntVar(&o.perRegistry, "per-registry", defaultPerRegistry, "`N` requests at most that one registry gets at once")
	complete(cmd, "per-registry", cobra.NoFileCompletions)
	return offering(cmd, output.JUnit)
}

func (a *app) releaseCheck(ctx context.Context, arg string, o checkOptions) error {
	ref, err := parseRef(arg)
	if err != nil {
		return err
	}
	platforms, err := parseArchs(o.archs)
	if err != nil {
		return err
	}
	if o.perRegistry < 1 {
		return failure.Usagef("--per-registry %d: want 1 or more", o.perRegistry)
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	l, err := a.lookups(ctx, ref, nil) // no cache: the question is what is there now
	if err != nil {
		return err
	}
	defer l.close()
	list, err := l.releaseImages(ctx, ref, platforms)
	if err != nil {
		return err
	}
	c, err := l.newCheck(ctx, list, o)
	if err != nil {
		return err
	}
	results, err := c.run(ctx)
	if err != nil {
		return err
	}
	report := checkreport.New(results)
	report.Image, report.Digest, report.Version = ref.Text, list.digest, list.version
	for _, p := range list.platforms {
		report.Platforms = append(report.Platforms, p.String())
	}
	report.Notices = l.policies.notices()
	if err := a.print(report, report.Text); err != nil {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if !report.Complete {
		a.warnf("--timeout %s ran out: %s of %d not asked for yet", a.opts.timeout, output.Plural(report.Summary.NotAsked, "image"), report.Summary.Images)
	}
	for _, h := range c.hints(ctx, results) {
		a.hint(h)
	}
	if code := report.Code(results); code != failure.ExitOK {
		return &failure.Reported{Code: code}
	}
	return nil
}

// parseArchs returns one platform, the program's own, where none is asked for.
func parseArchs(archs []string) ([]provider.Platform, error) {
	if len(archs) == 0 {
		return []provider.Platform{{}}, nil
	}
	var ps []provider.Platform
	for _, arch := range archs {
		if arch == "" {
			return nil, failure.Usagef("--arch has an empty entry; want ARCH or OS/ARCH[/VARIANT],...")
		}
		p, err := parseArch(arch)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/policydiff"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/diff"
	"github.com/mirrorchain/mirrorchain/provider"
)

// policyDiffOptions are the flags of policy diff.
type policyDiffOptions struct {
	releases, images []string
	arch             string
	exitOn           []string
}

// Values of --exit-on.
const (
	onAny    = "any"
	onDrain  = "drain"
	onLoss   = "loss"
	onMirror = "last-mirror"
)

var exitOns = []string{onAny, onDrain, onLoss, onMirror}

func (a *app) policyDiffCmd() *cobra.Command {
	var o policyDiffOptions
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what a change of policies does: to images, to nodes, to hosted clusters",
		Long: `policy diff compares two states of mirror policies. OLD and NEW are sources as -s takes
them: a file, a folder, cluster:, env:NAME, - for standard input; see 'mirrorchain help
sources'. What -s names belongs to both sides.

It says what the machine-config daemon would do on the nodes of a cluster, and the first
reason for it: nothing, reload CRI-O, drain every node, or reboot every node. Then it says
which sources were added, removed or changed, and where an image in each is pulled from
before and after, by digest and by tag. If a policy is only renamed, reordered, or stated
in another kind of object, and nodes see no difference, there is none.

With --release it says the same for every image of a release. Images with the same change
stand together. The release is looked up under OLD, and if that fails under NEW. --image
names an image and touches no network. "LOST" says that no endpoint is left to pull an image
from.

For policies of a management cluster of HyperShift, it says whether control planes restart.
For policies of a HostedCluster, it says whether the nodes of its NodePools are replaced.

-o markdown is for a comment on a pull request.

Exit code 0 says that nothing differs, and 1 that something does. Any other code says that
the two could not be compared. With --exit-on the code is 1 only for what it names: drain
(nodes are drained or rebooted), loss (an image loses its last endpoint), last-mirror (it
loses its last mirror, or its last endpoint), any. This is about the images of --release and
--image; without these flags, about any image below the sources.`,
		Example: `  # what would applying this folder do to the cluster?
  mirrorchain policy diff cluster: policies/ --release quay.io/openshift-release-dev/ocp-release@sha256:...

  # fail only if nodes are drained
  mirrorchain policy diff old.yaml new.yaml --exit-on drain

  # a commit against the one before it
  git show HEAD~:idms.yaml | mirrorchain policy diff - idms.yaml -o markdown`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return failure.Usagef("'%s' needs two sources, the old one and the new one", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.policyDiff(cmd.Context(), args[0], args[1], o)
			if _, reported := errors.AsType[*failure.Reported](err); err != nil && !reported && failure.Code(err) == failure.ExitFailed && cmd.Context().Err() == nil {
				a.tell("mirrorchain: %s", strings.ReplaceAll(err.Error(), "\n", "\nmirrorchain: "))
				return &failure.Reported{Code: failure.ExitUsage} // 1 is for a difference
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.releases, "release", nil, "compare for every image of the release `REF`; repeatable")
	f.StringArrayVar(&o.images, "image", nil, "compare for the image `REF`; repeatable")
	archFlag(cmd, &o.arch)
	f.StringSliceVar(&o.exitOn, "exit-on", []string{onAny}, "`WHAT` makes the exit code 1: any, drain, loss, last-mirror")
	complete(cmd, "release", cobra.NoFileCompletions)
	complete(cmd, "image", cobra.NoFileCompletions)
	complete(cmd, "exit-on", cobra.FixedCompletions(exitOns, cobra.ShellCompDirectiveNoFileComp))
	return offering(cmd, output.Markdown)
}

func (a *app) policyDiff(ctx context.Context, oldSpec, newSpec string, o policyDiffOptions) error {
	for _, on := range o.exitOn {
		if !slices.Contains(exitOns, on) {
			return failure.Usagef("--exit-on %s: want any, drain, loss or last-mirror", on)
		}
	}
	if stdin := []string{"-", "file:-"}; slices.Contains(stdin, oldSpec) && slices.Contains(stdin, newSpec) {
		return failure.Usagef("both sources are standard input, which can be read once; name a file for one of them")
	}
	if slices.Contains([]string{oldSpec, newSpec}, "") {
		return failure.Usagef("a source is empty; want file:PATH, env:NAME, cluster: or a path")
	}
	platform, err := parseArch(o.arch)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	older, newer := a.sideOf(oldSpec, newSpec), a.sideOf(newSpec, oldSpec)
	was, err := older.loadSide(ctx)
	if err != nil {
		return err
	}
	is, err := newer.loadSide(ctx)
	if err != nil {
		return err
	}
	images, err := namedImages(o.images)
	if err != nil {
		return err
	}
	for _, arg := range o.releases {
		more, err := imagesOf(ctx, arg, platform, older, newer)
		if err != nil {
			return err
		}
		images = append(images, more...)
	}
	report := policydiff.New(was.side, is.side, was.loaded, is.loaded, images)
	report.Old, report.New, report.Notices = oldSpec, newSpec, is.notices()
	a.warn(is.warnings())
	if err := a.print(report, func(w io.Writer) { report.Text(w) }); err != nil {
		return err
	}
	if differs(report, o.exitOn) {
		return &failure.Reported{Code: failure.ExitFailed}
	}
	return nil
}

// differs reports whether the report has one of what on names.
func differs(r *policydiff.Report, on []string) bool {
	return slices.Contains(on, onAny) && !r.Same ||
		slices.Contains(on, onDrain) && r.Nodes.Action >= diff.Drain ||
		slices.Contains(on, onLoss) && r.Loses(diff.LosesAllEndpoint) ||
		slices.Contains(on, onMirror) && r.Loses(diff.LosesLastMirror)
}

// sideOf returns a run with the source spec beside those of -s. Where the other side is on
// a cluster and this one is not, the flags for the cluster are the other side's.
func (a *app) sideOf(spec, other string) *app {
	side := *a
	side.opts.sources = append(slices.Clone(a.opts.sources), spec)
	if !slices.ContainsFunc(side.opts.sources, ofCluster) && ofCluster(other) {
		side.opts.kubeconfig, side.opts.kubeContext = "", ""
	}
	return &side
}

// policySide is one of the two that are compared.
type policySide struct {
	*policies
	side diff.Side
}

func (a *app) loadSide(ctx context.Context) (policySide, error) {
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return policySide{}, err
	}
	side, err := diff.NewSide(policy.RulesConfig{TagsFollowDigestRules: a.opts.tagsFollowDigest}, p.loaded...)
	return policySide{p, side}, err
}

func namedImages(args []string) ([]diff.Image, error) {
	var images []diff.Image
	for _, arg := range args {
		ref, err := parseRef(arg)
		if err != nil {
			return nil, err
		}
		images = append(images, diff.Image{Name: arg, Ref: ref.Ref})
	}
	return images, nil
}

// imagesOf returns the images of a release, which is looked up under the policies of the
// first of sides that has it.
func imagesOf(ctx context.Context, arg string, platform provider.Platform, sides ...*app) ([]diff.Image, error) {
	ref, err := parseRef(arg)
	if err != nil {
		return nil, err
	}
	var list *imageList
	for _, side := range sides {
		if list, err = side.listRelease(ctx, ref, platform); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	var images []diff.Image
	for _, image := range list.images {
		images = append(images, diff.Image{Name: strings.Join(image.names, ", "), Ref: image.ref})
	}
	return images, nil
}

func (a *app) listRelease(ctx context.Context, ref refArg, platform provider.Platform) (*imageList, error) {
	l, err := a.lookups(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	defer l.close()
	list := newImageList()
	return list, l.releaseImages(ctx, ref, []provider.Platform{platform}, list, false)
}

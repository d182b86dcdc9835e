package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/diffreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/releasediff"
)

// diffOptions are the flags of release diff.
type diffOptions struct {
	arch           string
	commits, check bool
}

func (a *app) releaseDiffCmd() *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:   "diff [FROM] TO",
		Short: "Print what differs between two releases, and what to mirror for the second",
		Long: `release diff looks up two releases through their mirrors, and prints which components
were added, removed, changed and rebuilt, which versions differ, and the boot images. A
component is rebuilt if it has another image of the same commit. Without FROM it is the
release of the cluster that kubectl would ask. Releases are named as for release info.

With --commits it prints commits instead of images. If the repository is on github.com,
this is a link to the changes between the two commits.

With --check it asks the mirrors for every image of the second release, as release check
does, and lists what is not on them. The exit code is then that of release check: 3 if
something is missing.

-o markdown is for a change ticket. -o json has images, repositories and commits of both
sides.`,
		Example: `  # what is new in 4.17.4, and what has to be mirrored for it?
  mirrorchain release diff --check -s idms.yaml -a pull-secret.json FROM TO

  # for a change ticket
  mirrorchain release diff --commits -o markdown FROM TO > ticket

  # from the release that the cluster runs
  mirrorchain release diff --check 4.17.4

  # the names of the components that changed
  mirrorchain release diff -o json FROM TO | jq -r '.components.changed[].name'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return failure.Usagef("'%s' takes two releases, or one to compare that of the cluster with, got %d", cmd.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.releaseDiff(cmd.Context(), args, o)
		},
	}
	archFlag(cmd, &o.arch)
	a.fromFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.commits, "commits", false, "print commits, with links, in place of images")
	f.BoolVar(&o.check, "check", false, "ask the mirrors for every image of TO, and list what they lack")
	return offering(cmd, output.Markdown)
}

func (a *app) releaseDiff(ctx context.Context, args []string, o diffOptions) error {
	platform, err := parseArch(o.arch)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	last := len(args) - 1
	fromRef, err := a.releaseArg(ctx, args[:last], platform)
	if err != nil {
		return err
	}
	toRef, err := a.releaseArg(ctx, args[last:], platform)
	if err != nil {
		return err
	}
	l, err := a.lookups(ctx, fromRef, nil)
	if err != nil {
		return err
	}
	defer l.close()
	other, err := l.alsoFor(ctx, toRef)
	if err != nil {
		return err
	}
	from, err := l.lookup(ctx, fromRef, platform)
	if err != nil {
		return err
	}
	to, err := other.lookup(ctx, toRef, platform)
	if err != nil {
		return err
	}
	report := diffreport.New(diffreport.NewRelease(fromRef.Text, from), diffreport.NewRelease(toRef.Text, to), releasediff.Compare(from, to),
		releasediff.CompareBootImages(a.bootImages(from), a.bootImages(to)), o.commits)
	report.Notices = l.policies.notices()
	code := failure.ExitOK
	if o.check {
		if code, err = other.checkInto(ctx, report, toRef, platform); err != nil {
			return err
		}
	}
	if err := a.print(report, func(w io.Writer) { report.Text(w, a.look()) }); err != nil {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if code != failure.ExitOK {
		return &failure.Reported{Code: code}
	}
	return nil
}

// bootImages returns those of rel, nil for none. It warns of those that cannot be read.
func (a *app) bootImages(rel *provider.Release) *bootimages.BootImages {
	b, err := bootimages.Of(rel)
	if errors.Is(err, bootimages.ErrNone) {
		return nil
	}
	if err != nil {
		a.warnf("the boot images of release %s cannot be read, and are left out: %v", rel.Version(), err)
		return nil
	}
	return b
}

// checkInto asks for all images of ref, notes in report what is not there, and returns
// the exit code.
func (l *lookups) checkInto(ctx context.Context, report *diffreport.Report, ref refArg, platform provider.Platform) (int, error) {
	list := newImageList()
	if err := l.releaseImages(ctx, ref, []provider.Platform{platform}, list, false); err != nil {
		return 0, err
	}
	c, err := l.newCheck(ctx, list, checkOptions{perRegistry: defaultPerRegistry})
	if err != nil {
		return 0, err
	}
	results, err := c.run(ctx)
	if err != nil {
		return 0, err
	}
	checked := checkreport.New(checkreport.Config{Disk: l.fromPaths(), Delivery: l.policies.delivery}, results)
	report.Mirrors = diffreport.NewMirrors(checked)
	for _, h := range c.hints(ctx, results) {
		l.hint(h)
	}
	return checked.Code(results), nil
}

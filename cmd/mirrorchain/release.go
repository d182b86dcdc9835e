package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/releaseinfo"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

func (a *app) releaseCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Look release images up",
		Args:  cobra.ArbitraryArgs,
		RunE:  group,

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(a.releaseInfoCmd(), a.releaseCheckCmd(), a.releaseVerifyCmd(), a.releaseDiffCmd())
	return showing(cmd)
}

func (a *app) releaseInfoCmd() *cobra.Command {
	var arch, cacheDir string
	var imageFor []string
	cmd := &cobra.Command{
		Use:   "info REF",
		Short: "Print what is in a release, and who served it",
		Long: `release info finds a release image through its mirrors, reads it, and prints what
is in it, which endpoint served it, and which ones failed before.

Every byte is verified by digest before it is used. Where the image is an index,
the entry for --arch is read, by default linux on this program's own architecture.

"Digest" is what was asked for, or what the tag names; "Instance" is the entry that
was read of an index.

With -o json only the result is printed on stdout. If no endpoint answers, stdout
stays empty, stderr lists every attempt, and the exit code says what kind of failure
it was. For every endpoint's status as data, see explain --probe. With --image-for
"components" of the result holds those that are named, in order, and "warnings" and
"skipped" what was noticed about the policies.

With --cache-dir the next run does not read a layer again. For ten minutes it asks
nobody about a digest that was read; after that it makes one small request. While no
endpoint answers, it prints what the last run was told with the same policies and
credentials, and says so. What is kept is verified by its digest whenever it is used.
It is bounded to 2 GiB, and any number of commands may share it. By default nothing
is kept: who asks where a release comes from usually means now.`,
		Example: `  mirrorchain release info -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...

  # the pull specs of two components
  mirrorchain release info -s idms.yaml --image-for cli --image-for etcd REF

  # which mirror served it
  mirrorchain release info -s idms.yaml -o json REF | jq -r .pulledFrom`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			if slices.Contains(imageFor, "") {
				return failure.Usagef("--image-for is empty; want the name of a component")
			}
			disk, err := a.disk(cacheDir, cmd.Flags().Changed("cache-dir"))
			if err != nil {
				return err
			}
			defer disk.Close()
			return a.releaseInfo(cmd.Context(), args[0], arch, imageFor, disk)
		},
	}
	archFlag(cmd, &arch)
	cmd.Flags().StringArrayVar(&imageFor, "image-for", nil, "print only the pull spec of the component with this `NAME`; repeatable")
	complete(cmd, "image-for", cobra.NoFileCompletions)
	cmd.Flags().StringVar(&cacheDir, "cache-dir", "", "keep what was read in `DIR`, in place of $"+cacheDirVariable+"; by default nothing is kept")
	complete(cmd, "cache-dir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

func (a *app) releaseInfo(ctx context.Context, arg, arch string, imageFor []string, disk *diskcache.Cache) error {
	ref, err := parseRef(arg)
	if err != nil {
		return err
	}
	platform, err := parseArch(arch)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	l, err := a.lookups(ctx, ref, disk)
	if err != nil {
		return err
	}
	defer l.close()
	rel, err := l.lookup(ctx, ref, platform)
	if err != nil {
		return err
	}
	for _, h := range notices.Hints(l.x) {
		a.hint(h)
	}
	if rel.Stale() {
		a.warnf("no endpoint answers now; this is what an earlier run was told, with the same policies and credentials")
	}
	if arch != "" && rel.Platform().IsZero() {
		a.notef("--arch %s chose nothing: %s is a plain image, not an index of several", arch, ref.Text)
	}
	if len(imageFor) > 0 {
		return a.printImages(rel, imageFor, l.policies.notices())
	}
	info := releaseinfo.New(ref.Text, ref.Ref, rel, l.policies.notices())
	return a.print(info, func(w io.Writer) {
		if look := a.look(); look.Terminal {
			releaseinfo.Table(w, look, ref.Text, ref.Ref, rel)
		} else {
			releaseinfo.Text(w, ref.Ref, rel)
		}
	})
}

// printImages prints the named components, one after another. Where mirrors failed
// before one answered, stderr says so: the output has no room for it.
func (a *app) printImages(rel *provider.Release, names []string, n notices.Notices) error {
	var all []string
	for c := range rel.Components() {
		all = append(all, c.Name)
	}
	components := []releaseinfo.Component{}
	for _, name := range names {
		c, ok := rel.Component(name)
		if !ok {
			msg := fmt.Sprintf("release %s has no component %q", rel.Version(), name)
			if near := closest(name, all); len(near) > 0 {
				msg += "; did you mean " + strings.Join(near, ", ") + "?"
			}
			return &provider.Error{Class: provider.ClassNotFound, Err: errors.New(output.OneLine(msg))}
		}
		components = append(components, releaseinfo.ComponentOf(c))
	}
	for at := range rel.Attempts() {
		if at.Err != nil {
			a.warnf("%s failed: %s", at.Ref, failure.Attempt(at.Ref, at.Err))
		}
	}
	return a.print(releaseinfo.Chosen{Components: components, Notices: n}, func(w io.Writer) {
		for _, c := range components {
			fmt.Fprint(w, output.Line("%s", c.Image))
		}
	})
}

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
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/settings"
	"github.com/mirrorchain/mirrorchain/provider"
)

// infoOptions are the flags of release info.
type infoOptions struct {
	arch     string
	cacheDir string
	// cacheGiven says that --cache-dir was given; "" is no cache then.
	cacheGiven bool
	imageFor   []string
	contents   []string
	bootImage  string
	size       bool
	show       releaseinfo.Show
	verify     bool
	trust      verifyOptions
}

func (a *app) releaseInfoCmd() *cobra.Command {
	var o infoOptions
	cmd := &cobra.Command{
		Use:   "info [REF]",
		Short: "Print what is in a release, and who served it",
		Long: `release info finds a release image through its mirrors, reads it, and prints what
is in it, which endpoint served it, and which ones failed before.

REF is a pull spec. A version alone, such as 4.17.3, stands for the release of that
version and --arch on quay.io, and stderr says which pull spec that is. Without REF it is
the release of the cluster that kubectl would ask. If no source is named either, the
policies are those of this cluster.

Every byte is verified by digest before it is used. If the image is an index, the entry for
--arch is read, by default for linux on the architecture of this program.

"Digest" is what was asked for, or what the tag names; "Instance" is the entry that
was read of an index.

The flags --pullspecs, --digests, --commits, --commit-urls and --size choose what is
printed for each image. --size reads the manifest of every image, also through the
mirrors. A layer that several images share counts in each of them, and once in the total.

-o name, -o pullspec and -o digest print one line for each image. With -o json only the
result is printed on stdout. If no endpoint answers, the result is an error with every
attempt, and the exit code says what kind of failure it was. For every endpoint's status as
data, see explain --probe. With --image-for "components" of the result holds the named
ones, in order. "warnings" and "skipped" are about the policies.

With --verify the result ends with the verdict of 'mirrorchain release verify' about the
digest that is printed, and the exit code is that of this command. Its help explains
--keyring, --signatures, --image-policy and --require. What --cache-dir has kept does not
count for the verdict.

With --cache-dir the next run does not read a layer again. For ten minutes after a digest
was read, no registry is asked about it; after that, one small request is sent. While no
endpoint answers, the last answer for the same policies and credentials is printed, and
called old. What is kept is verified by its digest at each use. It is bounded to 2 GiB, and
several commands may share the folder. By default nothing is kept, because the question is
usually where a release comes from now.`,
		Example: `  mirrorchain release info -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...

  # the pull specs of two components
  mirrorchain release info -s idms.yaml --image-for cli --image-for etcd REF

  # which mirror served it
  mirrorchain release info -s idms.yaml -o jsonpath={.pulledFrom} REF

  # the AMIs that machines on AWS start from
  mirrorchain release info --boot-image aws/x86_64 4.17.3

  # what it is, and whether clusters and nodes would believe it
  mirrorchain release info -s idms.yaml --verify --signatures cluster-resources/ REF

  # a manifest of the release that the cluster runs
  mirrorchain release info --contents 0000_50_installer_coreos-bootimages.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return nil
			case 2:
				return failure.Usagef("'%s' takes one release; to compare two: mirrorchain release diff %s %s", cmd.CommandPath(), quoted(args[0]), quoted(args[1]))
			}
			return oneRef(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.cacheGiven = cmd.Flags().Changed("cache-dir")
			if err := o.check(); err != nil {
				return err
			}
			if err := a.checkVerify(cmd, &o); err != nil {
				return err
			}
			return a.releaseInfo(cmd.Context(), args, o)
		},
	}
	archFlag(cmd, &o.arch)
	a.fromFlag(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.imageFor, "image-for", nil, "print only the pull spec of the component with this `NAME`; repeatable")
	f.StringArrayVar(&o.contents, "contents", nil, "print a `FILE` of the release image as it is: a name in release-manifests, a path, or a pattern with *; repeatable")
	f.StringVar(&o.bootImage, "boot-image", "", "print the boot image for `PLATFORM/ARCH[/STREAM]`, such as aws/x86_64 or kubevirt/amd64/rhel-10")
	f.BoolVar(&o.show.PullSpecs, "pullspecs", false, "print the pull spec of each image")
	f.BoolVar(&o.show.Digests, "digests", false, "print the digest of each image")
	f.BoolVar(&o.show.Commits, "commits", false, "print the repository and commit that each image was built from")
	f.BoolVar(&o.show.CommitURLs, "commit-urls", false, "print a link to that commit, where it is on github.com")
	f.BoolVar(&o.size, "size", false, "print the size of each image as it is transferred")
	f.StringVar(&o.cacheDir, "cache-dir", "", "keep what was read in `DIR`, in place of $"+settings.CacheDirVariable+" and of config.yaml; by default nothing is kept")
	f.BoolVar(&o.verify, "verify", false, "also check the signatures of the release, as release verify does")
	trustFlags(cmd, &o.trust)
	complete(cmd, "image-for", a.componentNames)
	complete(cmd, "contents", cobra.NoFileCompletions)
	complete(cmd, "boot-image", cobra.NoFileCompletions)
	complete(cmd, "cache-dir", dirs)
	return offering(cmd, releaseinfo.Name, releaseinfo.PullSpec, releaseinfo.Digest)
}

// dirs completes directories.
func dirs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// check refuses flags that do not go together.
func (o *infoOptions) check() error {
	var parts []string
	for _, f := range []struct {
		flag   string
		values []string
	}{{"--image-for", o.imageFor}, {"--contents", o.contents}} {
		if slices.Contains(f.values, "") {
			what := map[string]string{"--image-for": "the name of a component", "--contents": "the name of a file"}[f.flag]
			return failure.Usagef("%s is empty; want %s", f.flag, what)
		}
		if len(f.values) > 0 {
			parts = append(parts, f.flag)
		}
	}
	if o.bootImage != "" {
		parts = append(parts, "--boot-image")
	}
	if o.size || o.show != (releaseinfo.Show{}) {
		parts = append(parts, "--pullspecs, --digests, --commits, --commit-urls and --size")
	}
	if len(parts) > 1 {
		return failure.Usagef("%s print different things; give one of them", strings.Join(parts, " and "))
	}
	return nil
}

// checkVerify refuses flags that mean nothing with --verify, or without it.
func (a *app) checkVerify(cmd *cobra.Command, o *infoOptions) error {
	if !o.verify {
		for _, name := range trustFlagNames {
			if cmd.Flags().Changed(name) {
				return failure.Usagef("--%s means nothing without --verify", name)
			}
		}
		return nil
	}
	switch {
	case len(o.imageFor)+len(o.contents) > 0 || o.bootImage != "":
		return failure.Usagef("--verify ends the whole result; --image-for, --contents and --boot-image print a part of it. See 'mirrorchain release verify'")
	case slices.Contains([]output.Format{releaseinfo.Name, releaseinfo.PullSpec, releaseinfo.Digest}, a.opts.output):
		return failure.Usagef("-o %s has no room for the verdict of --verify. See 'mirrorchain release verify'", a.opts.output)
	case o.cacheDir != "":
		return failure.Usagef("--verify asks what is there now; it goes without --cache-dir")
	}
	o.cacheGiven = true // no cache, also not of the settings
	return nil
}

func (a *app) releaseInfo(ctx context.Context, args []string, o infoOptions) error {
	platform, err := parseArch(o.arch)
	if err != nil {
		return err
	}
	if len(o.contents) > 0 && !a.opts.output.IsText() {
		return failure.Usagef("--contents prints files as they are; -o %s means nothing to it", a.opts.output)
	}
	boot, err := parseBootImage(o.bootImage)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	ref, err := a.releaseArg(ctx, args, platform)
	if err != nil {
		return err
	}
	a.opts.usesCluster = a.opts.usesCluster || o.verify && o.trust.usesCluster()
	disk, err := a.disk(o.cacheDir, o.cacheGiven)
	if err != nil {
		return err
	}
	defer disk.Close()
	l, err := a.lookups(ctx, ref, disk)
	if err != nil {
		return err
	}
	defer l.close()
	var v *verification
	if o.verify {
		o.trust.arch = o.arch
		if v, err = a.newVerification(ctx, ref, o.trust, l); err != nil {
			return err
		}
	}
	if len(o.contents) > 0 {
		return l.printContents(ctx, ref, platform, o.contents)
	}
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
	if o.arch != "" && rel.Platform().IsZero() {
		a.notef("--arch %s chose nothing: %s is a plain image, not an index of several", o.arch, ref.Text)
	}
	switch {
	case len(o.imageFor) > 0:
		return a.printImages(rel, o.imageFor, l.policies.notices())
	case o.bootImage != "":
		return a.printBootImage(rel, boot, l.policies.notices())
	}
	return l.printRelease(ctx, ref, rel, platform, o, v)
}

// printRelease prints rel as o says, with the sizes of its images and the verdict of v where
// these are asked for. v may be nil.
func (l *lookups) printRelease(ctx context.Context, ref refArg, rel *provider.Release, platform provider.Platform, o infoOptions, v *verification) error {
	info := releaseinfo.New(ref.Text, ref.Ref, rel, l.policies.notices())
	info.BootImages = releaseinfo.BootImagesOf(l.bootImages(rel))
	if v != nil {
		if err := l.verify(ctx, v, ref, &info); err != nil {
			return err
		}
	}
	var incomplete error
	if o.size {
		sizes, err := l.sizes(ctx, rel, platform)
		if sizes == nil {
			return err
		}
		incomplete = err
		info.SetSizes(sizes)
		o.show.Sizes = sizes
	}
	err := l.print(info, func(w io.Writer) {
		if look := l.look(); look.Terminal {
			releaseinfo.Table(w, look, o.show, ref.Text, ref.Ref, rel)
		} else {
			releaseinfo.Text(w, o.show, ref.Ref, rel)
		}
		if v != nil {
			fmt.Fprintln(w)
			v.report.Text(w)
		}
	})
	if err == nil && v != nil {
		if err := v.reported(); err != nil {
			if incomplete != nil {
				l.warnf("%v", incomplete)
			}
			return err
		}
	}
	return errors.Join(err, incomplete)
}

// verify judges the signatures of the digest that info states, also where ref is a tag that
// names another one by now.
func (l *lookups) verify(ctx context.Context, v *verification, ref refArg, info *releaseinfo.Info) error {
	image, err := ref.WithDigest(info.Digest)
	if err != nil {
		return about(ref.Text, err)
	}
	ref = refArg{ref.Text, image}
	if err := l.continueWith(ctx, ref); err != nil {
		return err
	}
	info.Verification = v.report
	return v.run(ctx, ref, l)
}

// printImages prints the named components, one after another. Where mirrors failed
// before one answered, stderr says so: the output has no room for it.
func (a *app) printImages(rel *provider.Release, names []string, n notices.Notices) error {
	var all []string
	for c := range rel.Components() {
		all = append(all, c.Name)
	}
	chosen := releaseinfo.Chosen{Components: []releaseinfo.Component{}, Notices: n}
	for _, name := range names {
		c, ok := rel.Component(name)
		if !ok {
			return notFound(fmt.Sprintf("release %s has no component %q", rel.Version(), name), name, all)
		}
		chosen.Components = append(chosen.Components, releaseinfo.ComponentOf(c))
	}
	for at := range rel.Attempts() {
		if at.Err != nil {
			a.warnf("%s failed: %s", at.Ref, failure.Attempt(at.Ref, at.Err))
		}
	}
	return a.print(chosen, func(w io.Writer) {
		for _, c := range chosen.Components {
			fmt.Fprint(w, output.Line("%s", c.Image))
		}
	})
}

// notFound returns the error of something that a release or an image does not have, with what
// may have been meant of names.
func notFound(what, name string, names []string) error {
	if near := closest(name, names); len(near) > 0 {
		what += "; did you mean " + strings.Join(near, ", ") + "?"
	}
	return &provider.Error{Class: provider.ClassNotFound, Err: errors.New(output.OneLine(what))}
}

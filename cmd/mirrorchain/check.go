package main

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
)

// defaultPerRegistry bounds the requests that one registry gets at once.
const defaultPerRegistry = 16

// checkOptions are the flags of check and release check.
type checkOptions struct {
	archs       []string
	files       []string // lists of images; check alone
	sources     bool
	allMirrors  bool
	perRegistry int

	// Of release check.
	signatures    bool
	keyrings      []string
	imagePolicies []string
	policies      *signatures.Policies // of imagePolicies, nil without any
	registriesD   registriesD
	hostedCluster string // whose view of a release it is
	view          string // one of two, "" for both
}

func (a *app) checkFlags(cmd *cobra.Command, o *checkOptions, archs string) *cobra.Command {
	f := cmd.Flags()
	f.StringSliceVar(&o.archs, "arch", nil, archs)
	f.StringSliceVar(&o.archs, "platform", nil, "the same as --arch `PLATFORMS`")
	f.BoolVar(&o.allMirrors, "all-mirrors", false, "ask every mirror for every image, and fail if one of them lacks an image")
	f.BoolVar(&o.sources, "sources", false, "also ask the source for images that no mirror has")
	f.IntVar(&o.perRegistry, "per-registry", defaultPerRegistry, "largest number `N` of requests to one registry at the same time")
	complete(cmd, "per-registry", cobra.NoFileCompletions)
	a.fromFlag(cmd)
	return offering(cmd, output.JUnit, output.HTML, output.MirrorList, output.ImageSet)
}

func (a *app) releaseCheckCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check REF... | --for-hosted-cluster [NAMESPACE/]NAME [REF...]",
		Short: "Find out whether every image of a release is on the mirrors",
		Long: `release check looks up releases, as release info does, and asks the mirrors for every image
of them: the release itself, all components, and the KubeVirt boot images, which mirroring
tools do not find by themselves. Several releases, such as those of an update path, make
one check. In it an image counts once, even if it has several names.

--signatures also asks whether nodes would run the images. Every mirror is asked, in
order: for each image that an image policy covers, whether the signature that a node
would read is there, behind the tag sha256-HEX.sig, and valid. The policy is the one in the
release: from 4.21 on it requires a signature of the release image, from 4.22 on of every
component. --image-policy names other policies. The check assumes that nodes look for
signatures on every mirror; with --registries-d it reads from the files of a node where
they look. The last line says in one sentence whether nodes would accept the release from
these mirrors. Exit code 7 says that a signature was refused, and 3 that one is missing. If
a mirror could not be asked, the result is not known, and the code says why. For GPG
signatures, which the cluster-version operator requires, see 'mirrorchain release verify'.
With --from they are looked for too, beside the images, and the disk takes the place of the
mirrors.

--for-hosted-cluster NAME reads a HostedCluster of HyperShift from the management cluster of
the kubeconfig, with its pull secret, and prints two reports: what the operators of the
management cluster fetch, by its policies, and what the nodes pull, by the HostedCluster's
imageContentSources. Without REF its release is checked.

` + checkHelp,
		Example: `  # can the cluster be updated from the mirrors that the policies name?
  mirrorchain release check -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...

  # what does each mirror lack?
  mirrorchain release check -s idms.yaml --all-mirrors REF

  # is the archive complete, before the disk leaves?
  mirrorchain release check --from /mnt/usb/mirror REF

  # for a change ticket, and for the tool that closes the gap
  mirrorchain release check -s idms.yaml -o html REF > check.html
  mirrorchain release check -s idms.yaml -o mirror-list REF > list && oc image mirror -f list

  # will nodes of the release accept it from each of the mirrors?
  mirrorchain release check -s cluster: --signatures REF

  # can a hosted cluster be updated, for the operators and for its nodes?
  mirrorchain release check --for-hosted-cluster clusters/one REF

  # both architectures of a release that has several
  mirrorchain release check -s cluster: --arch amd64,arm64 REF

  # for a CI system
  mirrorchain release check -s idms.yaml -o junit REF > mirrors.xml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.hostedCluster != "" {
				return nil
			}
			return someRefs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.hostedCluster != "":
				return a.hostedCheck(cmd.Context(), args, o)
			case o.view != "":
				return failure.Usagef("--view means nothing without --for-hosted-cluster")
			}
			return a.releaseCheck(cmd.Context(), args, o)
		},
	}
	cmd.Flags().BoolVar(&o.signatures, "signatures", false, "also ask every mirror for the signatures that nodes require; with --from look on the disk for these and for GPG signatures")
	cmd.Flags().StringArrayVar(&o.keyrings, "keyring", nil, "with --from and --signatures, `PATH` of keys that must sign with GPG, as for release verify (default Red Hat's release keys)")
	o.registriesD.register(cmd)
	cmd.Flags().StringVar(&o.hostedCluster, "for-hosted-cluster", "", "check the release of a HostedCluster, `[NAMESPACE/]NAME`, or REF, as the management cluster's operators and as its nodes see it")
	cmd.Flags().StringVar(&o.view, "view", "", "with --for-hosted-cluster, print only this `VIEW`: management or nodes")
	complete(cmd, "for-hosted-cluster", cobra.NoFileCompletions)
	complete(cmd, "view", cobra.FixedCompletions([]string{viewManagement, viewNodes}, cobra.ShellCompDirectiveNoFileComp))
	imagePolicyFlag(cmd, &o.imagePolicies, "default what the release brings along, and openshift-4.21 for earlier ones")
	return a.checkFlags(cmd, &o, "`PLATFORMS` to check of an index: ARCH or OS/ARCH[/VARIANT],... (default linux on this program's own)")
}

// checkHelp is what check and release check have in common.
const checkHelp = `The check asks for manifests, with one small request each, and reads no content. So it does
not see that a registry has lost a layer. With --from it reads everything.

The answer is the one that a node would get. A node asks the mirrors in order, and takes
everything from the first one that has what the reference names. If that is an index, this
mirror is also asked for the entry of each architecture. If it lacks one, the image is
missing, even if the next mirror has it; the report says so. --all-mirrors asks every
mirror for every image. The report then says what each of them lacks, and the check fails
if one mirror lacks an image.

The source is not asked for what the mirrors lack, because the question is whether a
cluster that cannot reach the source could be installed. With --sources it is asked, as
nodes would. An image for which no policy names a mirror is always asked for at its source,
and stderr says how many these are.

--from PATH asks no registry. It reads a folder or an archive, and hashes the manifest,
the config and every layer of each image. See 'mirrorchain help disk' for the formats.

Images that are not available are listed in groups that failed for the same reason, with
every endpoint that was asked and why it failed. Some proxy caches refuse a HEAD request for
an image that they serve, so they are asked by GET as well. If a registry answers 429, the
check waits as long as it asks for. A registry at which every request fails is asked again
for the first images, and only once for the others. If --timeout runs out, or after Ctrl-C,
what is known is printed.

An image is missing if every endpoint that was asked does not have it. If one of them could
not be asked, the result for this image is unknown. Exit code 3 says that images are
missing. If none is missing and some are unknown, the code says why, as for a lookup.

-o html is one file to read in a browser or to attach to a ticket. -o mirror-list prints a
line SOURCE=MIRROR for each image and mirror that lacks it, for 'oc image mirror -f'.
-o image-set prints the same images as additionalImages of an ImageSetConfiguration, for
oc-mirror. -o junit makes a test case of each image: a failure if it is missing, an error
if the result is unknown.`

func (a *app) releaseCheck(ctx context.Context, args []string, o checkOptions) error {
	platforms, err := o.platforms()
	if err != nil {
		return err
	}
	if len(platforms) == 0 {
		platforms = []provider.Platform{{}} // the program's own
	}
	var refs []refArg
	for _, arg := range args {
		ref, err := a.releaseArg(ctx, []string{arg}, platforms[0])
		if err != nil {
			return err
		}
		refs = append(refs, ref)
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	if err := a.signatureFlags(ctx, &o); err != nil {
		return err
	}
	first, err := a.lookups(ctx, refs[0], nil) // no cache: the question is what is there now
	if err != nil {
		return err
	}
	defer first.close()
	list := newImageList()
	for i, ref := range refs {
		l := first
		if i > 0 {
			if l, err = first.alsoFor(ctx, ref); err != nil {
				return err
			}
		}
		if err := l.releaseImages(ctx, ref, platforms, list, len(refs) > 1); err != nil {
			return err
		}
	}
	covered := func(i *listed) bool { _, required := o.policies.For(i.ref); return len(required) > 0 }
	if o.policies != nil && a.fromPaths() == "" && !slices.ContainsFunc(list.images, covered) {
		return failure.Usagef("no image policy covers an image of this release, so nodes ask for no sigstore signature; scopes are %v", o.policies.Scopes())
	}
	return first.check(ctx, list, o)
}

// check asks for the images of list, and prints the report.
func (l *lookups) check(ctx context.Context, list *imageList, o checkOptions) error {
	c, err := l.newCheck(ctx, list, o)
	if err != nil {
		return err
	}
	results, err := c.run(ctx)
	if err != nil {
		return err
	}
	report := checkreport.New(checkreport.Config{
		Releases: list.releases, Disk: l.fromPaths(), AllMirrors: o.allMirrors, Delivery: l.policies.delivery,
	}, results)
	report.Notices = l.policies.notices()
	for _, w := range list.leftOut {
		report.Warnings = append(report.Warnings, notices.Warning{Code: "left-out", Message: w, Origins: []string{}})
	}
	if o.signatures {
		if report.Signatures, err = c.signatures(ctx, results); err != nil {
			return err
		}
		if report.From != "" {
			if report.GPG, err = c.gpg(ctx); err != nil {
				return err
			}
		}
	}
	if err := l.print(report, func(w io.Writer) { report.Text(w, l.look()) }); err != nil {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if !report.Complete {
		l.warnf("--timeout %s ran out: %s of %d not asked for yet", l.opts.timeout, words.Plural(report.Summary.NotAsked, "image"), report.Summary.Images)
	}
	for _, h := range c.hints(ctx, results) {
		l.hint(h)
	}
	if n := report.Nowhere(); n > 0 && (l.opts.output == output.MirrorList || l.opts.output == output.ImageSet) {
		l.warnf("no mirror in these policies for %s that is missing; left out of the list", words.Plural(n, "image"))
	}
	if code := report.Code(results); code != failure.ExitOK {
		return &failure.Reported{Code: code}
	}
	return nil
}

// platforms checks the flags and returns those of --arch.
func (o *checkOptions) platforms() ([]provider.Platform, error) {
	if o.perRegistry < 1 {
		return nil, failure.Usagef("--per-registry %d: want 1 or more", o.perRegistry)
	}
	var ps []provider.Platform
	for _, arch := range o.archs {
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

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/verify"
)

// verifyOptions are the flags of release verify.
type verifyOptions struct {
	arch          string
	keyrings      []string
	trustRelease  string
	signatures    []string
	imagePolicies []string
	registriesD   registriesD
	require       string
	allMirrors    bool
	components    bool
}

var requirements = []string{verifyreport.Any, verifyreport.GPG, verifyreport.Sigstore, verifyreport.Both}

func (a *app) releaseVerifyCmd() *cobra.Command {
	o := verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify REF",
		Short: "Find out whether clusters and nodes would accept a release",
		Long: `release verify checks the two kinds of signatures that a release of OpenShift has, and
prints a line for each: good, or why not, with signer, key, time, identity and place.

The cluster-version operator requires GPG signatures. They sign the digest that the update
names. If it names an index, that is the digest of the index. They are looked for in the
places that --signatures names:
  - a folder with sha256=HEX/signature-1, as on mirror.openshift.com
  - a lookaside folder of containers, REPOSITORY@sha256=HEX/signature-1
  - the folder working-dir/signatures of oc-mirror v2, files TAG-sha256-HEX
  - ConfigMaps in YAML or JSON, as oc adm release mirror and oc-mirror write them, in a
    file or a folder
  - a URL with sha256=HEX/signature-1 below it; nothing is asked unless it is named
  - cluster: for the ConfigMaps in openshift-config-managed, and the stores that the
    ClusterVersion names
With --from, signatures that tools left beside the images count as well; see
'mirrorchain help disk'. Every keyring must sign, with any of its keys. Without --keyring
there is one, with Red Hat's two release keys, which are built in; their fingerprints are
shown. A file is a keyring, and so are each file of a folder and each verifier-public-key-*
of a ConfigMap.
Keys in the release itself are never used, because a forged release could contain any key.
--trust-release takes the keyrings of another release, such as the one that a cluster runs,
as the cluster-version operator does. That release must be signed by those of --keyring.

Since 4.21 nodes require sigstore signatures of the images that a ClusterImagePolicy covers.
They sign the image of one platform, --arch, and are in the repository that serves it,
behind the tag sha256-HEX.sig. So the mirrors are asked in the order in which a node asks
them: the first one that has the image must have its signature. If a mirror does not answer,
a node takes the next one now, and this one again when it answers. So the result is then not
known, whatever the next mirror has, and the last line says what nodes do now. --all-mirrors
checks each mirror by itself. The policies are those of --image-policy, by default the one
of 4.21. The command assumes that nodes look for signatures on every mirror, as the
machine-config operator configures them. With --registries-d it reads from the files of a
node where they look; use-sigstore-attachments must be set there for the mirrors. The last
line answers what an administrator has to acknowledge before the update to 4.21: would
nodes accept this release from these mirrors?

--components asks the same about every image of the release, as nodes do from 4.22 on. The
default is then the policy of 4.22. It costs a few requests for each image. To see also
which images are missing, use 'mirrorchain release check --signatures'.

--require says which signatures must be good. The default, any, asks whether anybody who is
trusted signed the release: clusters before 4.21 need only GPG, and the command cannot know
which version will run it. A refused signature of either kind is a failure. Before an update
of a cluster to 4.21 or later, use both. With gpg and a reference by digest no registry is
asked. A reference by tag is resolved first, and the digest is printed: use that one from
then on.

Exit code 7 says that a signature was refused, and 3 that none was found. If the result is
not known, the code says why, as for a lookup.`,
		Example: `  # will the update to 4.21 be accepted from these mirrors?
  mirrorchain release verify -s idms.yaml --signatures cluster-resources/ --require both REF

  # before it is carried across the gap; asks no registry
  mirrorchain release verify --require gpg --signatures working-dir/signatures quay.io/openshift-release-dev/ocp-release@sha256:...

  # which of the mirrors lack the signature that nodes look for
  mirrorchain release verify -s idms.yaml --require sigstore --all-mirrors REF

  # nodes of 4.22 and later: is every component signed?
  mirrorchain release verify -s idms.yaml --require sigstore --components REF`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.releaseVerify(cmd.Context(), args[0], o)
		},
	}
	archFlag(cmd, &o.arch)
	a.fromFlag(cmd)
	trustFlags(cmd, &o)
	cmd.Flags().BoolVar(&o.allMirrors, "all-mirrors", false, "check each mirror by itself, and not only the one that a node would choose")
	cmd.Flags().BoolVar(&o.components, "components", false, "also ask for the sigstore signatures of every component, as nodes do from 4.22 on")
	return offering(cmd, output.JUnit)
}

// verification is one run of release verify.
type verification struct {
	*app
	verifyOptions
	trust    verify.Trust
	stores   *signatures.Stores
	policies *signatures.Policies
	platform provider.Platform
	report   *verifyreport.Report
}

// usesCluster reports whether the flags name what a cluster has.
func (o *verifyOptions) usesCluster() bool {
	return slices.Contains(slices.Concat(o.signatures, o.imagePolicies), clusterScheme+":")
}

func (a *app) releaseVerify(ctx context.Context, arg string, o verifyOptions) error {
	a.opts.usesCluster = a.opts.usesCluster || o.usesCluster()
	platform, err := parseArch(o.arch)
	if err != nil {
		return err
	}
	ref, err := a.releaseArg(ctx, []string{arg}, platform)
	if err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	var l *lookups
	if a.fromPaths() != "" {
		if l, err = a.lookups(ctx, ref, nil); err != nil {
			return err
		}
		defer l.close()
	}
	v, err := a.newVerification(ctx, ref, o, l)
	if err != nil {
		return err
	}
	if err := v.run(ctx, ref, l); err != nil {
		return err
	}
	if err := a.print(v.report, v.report.Text); err != nil {
		return err
	}
	return v.reported()
}

// reported returns the error of a verdict that the report states, nil for a good one.
func (v *verification) reported() error {
	if code := v.report.Code(); code != failure.ExitOK {
		return &failure.Reported{Code: code}
	}
	return nil
}

// newVerification reads what the flags name, before anybody is asked. l, if not nil, reads
// what --from names.
func (a *app) newVerification(ctx context.Context, ref refArg, o verifyOptions, l *lookups) (*verification, error) {
	if err := a.checkOptions(); err != nil {
		return nil, err
	}
	v := &verification{app: a, verifyOptions: o}
	var err error
	if !slices.Contains(requirements, o.require) {
		return nil, failure.Usagef("--require %s: want gpg, sigstore, both or any", o.require)
	}
	if o.components && o.require == verifyreport.GPG {
		return nil, failure.Usagef("--components asks for sigstore signatures, and --require gpg for none of them; GPG signs the release image alone")
	}
	if v.platform, err = parseArch(o.arch); err != nil {
		return nil, err
	}
	if o.registriesD.dir != "" && o.require == verifyreport.GPG {
		return nil, failure.Usagef("--registries-d says where nodes look for sigstore signatures, and --require gpg asks for none")
	}
	if err := v.registriesD.open(); err != nil {
		return nil, err
	}
	if v.trust, err = signatures.Keyrings(o.keyrings); err != nil {
		return nil, err
	}
	if v.stores, err = signatures.OpenStores(o.signatures, ref.Repository(), a.cluster); err != nil {
		return nil, err
	}
	if err := v.onDisk(ref, l); err != nil {
		return nil, err
	}
	named := o.imagePolicies
	if o.components && len(named) == 0 {
		named = []string{"openshift-4.22"} // the first that covers components
	}
	if v.policies, err = a.imagePolicies(ctx, named); err != nil {
		return nil, err
	}
	for _, w := range v.stores.Warnings {
		a.warnf("%s", w)
	}
	_, required := v.policies.For(ref.Ref)
	gpg, covered := len(v.stores.All) > 0, len(required) > 0 || ref.Digest() == "" || o.components
	switch {
	case o.require == verifyreport.GPG && !gpg, o.require == verifyreport.Both && !gpg:
		return nil, failure.Usagef("--require %s needs a place with GPG signatures: --signatures", o.require)
	case o.require == verifyreport.Any && !gpg && !covered:
		return nil, failure.Usagef("nothing to verify %s with: no --signatures, and no image policy covers it; scopes are %v", ref.Text, v.policies.Scopes())
	case (o.require == verifyreport.Sigstore || o.require == verifyreport.Both) && !covered:
		return nil, v.uncovered(ref)
	}
	if o.require == verifyreport.Any && !gpg {
		a.notef("GPG signatures are not looked for: no --signatures was given")
	}
	if o.trustRelease != "" && !v.judgesGPG() {
		return nil, failure.Usagef("--trust-release has keys for GPG signatures; it needs --signatures, and means nothing with --require sigstore")
	}
	v.report = verifyreport.New(ref.Text, o.require)
	v.report.RegistriesD, v.report.From = o.registriesD.dir, a.fromPaths()
	return v, nil
}

// onDisk adds the stores that are beside the images that --from names.
func (v *verification) onDisk(ref refArg, l *lookups) error {
	if l == nil || v.require == verifyreport.Sigstore {
		return nil
	}
	disk, ok := l.base.(onDisk)
	if !ok {
		return nil
	}
	has := false
	for _, files := range disk.Files() {
		more, err := v.stores.AddDisk(files.Path, files, ref.Repository())
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		has = has || more
	}
	if !has {
		v.stores.All = append(v.stores.All, verify.ConfigMapStore(v.fromPaths()))
		v.notef("no folder in %s has GPG signatures: looked into %s", v.fromPaths(), strings.Join(signatures.BesideImages(), ", "))
	}
	return nil
}

func (v *verification) uncovered(ref refArg) error {
	return failure.Usagef("no image policy covers %s, so nodes ask for no sigstore signature; scopes are %v", ref.Text, v.policies.Scopes())
}

// judgesGPG reports whether GPG signatures are looked for.
func (v *verification) judgesGPG() bool {
	return v.require != verifyreport.Sigstore && len(v.stores.All) > 0
}

// run asks for the signatures of what ref names, and concludes the report. l is about ref; it
// is made where it is nil and somebody has to be asked.
func (v *verification) run(ctx context.Context, ref refArg, l *lookups) error {
	if err := v.ask(ctx, ref, l); err != nil {
		return err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	v.report.Conclude(v.policies.Nodes)
	if v.report.Assumed() {
		v.noteAssumed()
	}
	return nil
}

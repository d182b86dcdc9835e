package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
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

func (v *verification) ask(ctx context.Context, ref refArg, l *lookups) error {
	if v.trustRelease != "" {
		if err := v.trustTheRelease(ctx, l); err != nil {
			return err
		}
	}
	if v.judgesGPG() {
		v.report.AddKeyrings(v.trust)
	}
	image := ref.Ref
	_, required := v.policies.For(image)
	if image.Digest() == "" || v.require != verifyreport.GPG && len(required) > 0 || v.components {
		var err error
		if l == nil {
			if l, err = v.lookups(ctx, ref, nil); err != nil {
				return err
			}
			defer l.close()
		}
		v.report.Notices = l.policies.notices()
		if image, err = l.resolve(ctx, ref, v.platform); err != nil {
			return err
		}
		_, required = v.policies.For(image)
	}
	v.report.Digest = image.Digest()
	if v.judgesGPG() {
		verdict, err := v.trust.Verify(ctx, image.Digest(), v.stores.All...)
		if err != nil && errors.Is(ctx.Err(), context.Canceled) {
			return context.Cause(ctx)
		}
		v.report.AddGPG(verdict, err, v.stores.IsRemote)
		if errors.Is(err, verify.ErrNoSignature) {
			defer func() { v.hintInstance(ctx) }()
		}
	}
	switch {
	case v.require == verifyreport.GPG:
		return nil
	case len(required) > 0:
		if err := v.nodes(ctx, l, refArg{ref.Text, image}, required); err != nil {
			return err
		}
	case !v.components && (v.require != verifyreport.Any || !v.judgesGPG()):
		return v.uncovered(ref)
	default:
		v.notef("no image policy covers %s, so nodes ask for no sigstore signature of it", ref.Text)
	}
	if v.components && (len(required) == 0 || v.report.Instance != "") { // else no endpoint has served it
		return v.componentSignatures(ctx, l, refArg{ref.Text, image})
	}
	return nil
}

// componentSignatures asks for the signatures of every image of the release that an image
// policy covers, where nodes would find them.
func (v *verification) componentSignatures(ctx context.Context, l *lookups, ref refArg) error {
	list := newImageList()
	if err := l.releaseImages(ctx, ref, []provider.Platform{v.platform}, list, false); err != nil {
		return err
	}
	n := v.registriesD.node(l.base, v.policies, l.policies, ref.Ref)
	list.images = slices.DeleteFunc(list.images, func(image *listed) bool { return !n.Judges(image.ref) })
	c, err := l.newCheck(ctx, list, checkOptions{
		allMirrors: v.allMirrors, sources: !v.allMirrors, perRegistry: defaultPerRegistry, policies: v.policies, registriesD: v.registriesD,
	})
	if err != nil {
		return err
	}
	results, err := c.run(ctx)
	if err != nil {
		return err
	}
	found, err := c.signatures(ctx, results)
	if err != nil {
		return err
	}
	v.report.AddComponents(found, checkreport.New(checkreport.Config{AllMirrors: v.allMirrors}, results).Code(results))
	return nil
}

// hintInstance says whether the GPG signature that a list lacks is there for its entry. It
// counts for nothing: the cluster-version operator asks for that of the list.
func (v *verification) hintInstance(ctx context.Context) {
	instance := v.report.Instance
	if instance == "" || instance == v.report.Digest {
		return
	}
	if _, err := v.trust.Verify(ctx, instance, v.stores.All...); err == nil {
		v.hint("there is a GPG signature of the image of the platform, " + instance + "; the cluster-version operator asks for one of the digest that the update names")
	}
}

// nodes asks the endpoints for what nodes ask for.
func (v *verification) nodes(ctx context.Context, l *lookups, ref refArg, required []sigstore.Requirement) error {
	if len(l.x.Candidates) == 0 {
		return about(ref.Text, failure.Forbidden(l.x.Refused))
	}
	n := v.registriesD.node(l.base, v.policies, l.policies, ref.Ref)
	req := provider.Request{Image: ref.Ref, Platform: v.platform, Credentials: l.found.Credentials, Rules: l.policies.rules}
	stop := v.progress("looking for the signatures of %s", ref.Text)
	defer stop()
	var endpoints []node.Endpoint
	mirrors := slices.ContainsFunc(l.x.Candidates, isMirror)
	if v.allMirrors {
		for _, c := range l.x.Candidates {
			if c.Mirror || !mirrors { // a disconnected site cannot ask the source
				endpoints = append(endpoints, n.At(l.traced(ctx), req, c))
			}
		}
	} else {
		var err error
		if endpoints, err = n.Pull(l.traced(ctx), req); err != nil {
			return about(ref.Text, err)
		}
	}
	stop()
	var failed []provider.Attempt
	for i, e := range endpoints {
		v.report.AddEndpoint(e, required, !v.allMirrors && i < len(endpoints)-1)
		if _, refused := errors.AsType[*sigstore.Error](e.Err); e.Err != nil && !refused {
			failed = append(failed, provider.Attempt{Ref: e.Ref, Err: outOfTime(ctx, e.Ref, e.Err)})
		}
	}
	if len(failed) > 0 {
		for _, h := range l.advice(ref.Text, l.found).Hints(failed, l.x.Resolution) {
			v.hint(h)
		}
	}
	return nil
}

// resolve returns ref by digest, and asks for what a tag names. From then on l is about the
// result.
func (l *lookups) resolve(ctx context.Context, ref refArg, platform provider.Platform) (imageref.Ref, error) {
	if ref.Digest() != "" {
		return ref.Normalize(), nil
	}
	stop := l.progress("resolving %s", ref.Text)
	defer stop()
	endpoints, err := node.Node{Base: l.base}.Pull(l.traced(ctx), provider.Request{
		Image: ref.Ref, Platform: platform, Credentials: l.found.Credentials, Rules: l.policies.rules,
	})
	stop()
	if err != nil {
		return imageref.Ref{}, about(ref.Text, err)
	}
	last := endpoints[len(endpoints)-1]
	if last.Digest == "" {
		f := &failure.Lookup{Head: ref.Text + ": no endpoint says what the tag names"}
		for _, e := range endpoints {
			f.Attempts = append(f.Attempts, provider.Attempt{Ref: e.Ref, Err: e.Err})
		}
		f.Code = failure.AttemptsCode(ref.Ref, f.Attempts)
		f.Hints = l.advice(ref.Text, l.found).Hints(f.Attempts, l.x.Resolution)
		return imageref.Ref{}, f
	}
	image, err := ref.WithDigest(last.Digest)
	if err != nil {
		return image, about(ref.Text, err)
	}
	l.notef("%s is %s on %s", ref.Text, last.Digest, last.Ref.Registry())
	if l.x, err = l.policies.explain(refArg{ref.Text, image}); err != nil {
		return image, about(ref.Text, err)
	}
	l.found, err = l.credentials(ctx, l.x.Candidates)
	return image, err
}

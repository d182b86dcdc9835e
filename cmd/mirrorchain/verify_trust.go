package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
)

// trustFlagNames are the flags of trustFlags.
var trustFlagNames = []string{"keyring", "trust-release", "signatures", "image-policy", "registries-d", "require"}

// trustFlags registers the flags that say what has to sign, and where signatures are.
func trustFlags(cmd *cobra.Command, o *verifyOptions) {
	f := cmd.Flags()
	f.StringArrayVar(&o.keyrings, "keyring", nil, "`PATH` of keys that must sign: a file, a folder, or a ConfigMap; repeatable: all of them must (default Red Hat's release keys)")
	f.StringVar(&o.trustRelease, "trust-release", "", "`REF` of a release whose keyrings must sign, instead of those of --keyring; that release must be signed by those of --keyring")
	f.StringArrayVar(&o.signatures, "signatures", nil, "`PLACE` of GPG signatures: a folder, a file with ConfigMaps, an http(s) URL, or cluster: for what the cluster-version operator finds there; repeatable")
	imagePolicyFlag(cmd, &o.imagePolicies, "default openshift-4.21")
	o.registriesD.register(cmd)
	f.StringVar(&o.require, "require", verifyreport.Any, "`KIND` of signatures that must be good: gpg, sigstore, both, or any")
	complete(cmd, "trust-release", cobra.NoFileCompletions)
	complete(cmd, "require", cobra.FixedCompletions(requirements, cobra.ShellCompDirectiveNoFileComp))
}

// trustTheRelease makes the keyrings of the release that --trust-release names the ones that
// have to sign. It has to be signed by the others itself. l, if not nil, has read the
// policies.
func (v *verification) trustTheRelease(ctx context.Context, l *lookups) error {
	ref, err := v.releaseArg(ctx, []string{v.trustRelease}, v.platform)
	if err != nil {
		return err
	}
	if l != nil {
		l, err = l.alsoFor(ctx, ref)
	} else if l, err = v.lookups(ctx, ref, nil); err == nil {
		defer l.close()
	}
	if err != nil {
		return err
	}
	image, err := l.resolve(ctx, ref, v.platform)
	if err != nil {
		return err
	}
	ref = refArg{ref.Text, image}
	if err := v.mustBeSigned(ctx, ref); err != nil {
		return err
	}
	content, err := l.image(ctx, ref, v.platform)
	if err != nil {
		return err
	}
	files, err := l.files(ctx, ref, content, []string{manifests + "*"})
	if err != nil {
		return err
	}
	if files, err = fs.Sub(files, "release-manifests"); err != nil {
		return err
	}
	trust, err := signatures.ReleaseKeyrings(ref.Text, files)
	if err != nil {
		return fmt.Errorf("--trust-release: %w", err)
	}
	v.notef("%s is signed itself; its keyrings are the ones that have to sign", ref.Text)
	v.trust = trust
	return nil
}

// mustBeSigned fails where a release is not signed by the keyrings that are trusted.
func (v *verification) mustBeSigned(ctx context.Context, ref refArg) error {
	stores, err := signatures.OpenStores(v.signatures, ref.Repository(), v.cluster)
	if err != nil {
		return err
	}
	verdict, err := v.trust.Verify(ctx, ref.Digest(), stores.All...)
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	r := verifyreport.New(ref.Text, verifyreport.GPG)
	r.AddGPG(verdict, err, stores.IsRemote)
	return &failure.Lookup{
		Head: fmt.Sprintf("--trust-release %s: its keys are not used, because it is not trusted itself: %s", ref.Text, r.Checks[len(r.Checks)-1].Error),
		Code: r.Code(),
	}
}

package hostedcontrolplane

import (
	"context"
	"errors"
	"fmt"
	"slices"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// releases looks the releases of hcp up by the rules lookups and notes in o what came
// of it. The caller tries again after an error. It ends early, with nothing noted, when handedOn
// is in force no more: hcp is reconciled by the new rules then, and that must not wait
// for registries that the old ones name.
func (r *Reconciler) releases(ctx context.Context, hcp *hyperv1.HostedControlPlane, o *outcome, handedOn, lookups *policy.Rules) error {
	limited, cancel := context.WithTimeout(ctx, operator.LookupLimit)
	defer cancel()
	inForce, leave := operator.WhileInForce(limited, r.Changes, handedOn)
	defer leave()
	releases, err := r.lookup(inForce, hcp, o, lookups)
	if err != nil {
		if errors.Is(context.Cause(inForce), operator.ErrRulesChanged) {
			return nil
		}
		o.lookupErr = err
		if _, ok := errors.AsType[*hypershift.PullSecretError](err); ok {
			return nil // the Secret is watched
		}
		return err
	}
	o.releases = &releases
	for _, name := range releases.Unknown(r.Settings.Overridden) {
		o.skipped = append(slices.Clip(o.skipped), fmt.Sprintf("--image-overrides: %q is no component of release %s, so its image is not used", name, releases.User.Version()))
	}
	o.rolledOut, err = r.rolledOut(ctx, hcp)
	return err
}

func (r *Reconciler) lookup(ctx context.Context, hcp *hyperv1.HostedControlPlane, o *outcome, rules *policy.Rules) (Releases, error) {
	name := types.NamespacedName{Namespace: hcp.Namespace, Name: hcp.Spec.PullSecret.Name}
	if name.Name == "" {
		name.Name = hypershift.PullSecret
	}
	_, creds, err := hypershift.Credentials(ctx, r.Client, name)
	if err != nil {
		return Releases{}, err
	}
	o.entries = new(hypershift.UnusedEntries(creds))
	mirrors, err := r.mirrorCredentials(ctx, hcp)
	if err != nil {
		return Releases{}, err
	}
	return r.Providers.Lookup(ctx, rules, creds, mirrors, hypershift.OperatedRelease(hcp), hcp.Spec.ReleaseImage)
}

// mirrorCredentials returns the credentials for mirrors that the hypershift-operator copied here.
// It reads nothing where an annotation does not say that there are any.
func (r *Reconciler) mirrorCredentials(ctx context.Context, hcp *hyperv1.HostedControlPlane) (provider.MirrorCredentials, error) {
	_, own := hcp.Annotations[hypershift.AnnotationMirrorCredentials]
	_, shared := hcp.Annotations[hypershift.AnnotationManagementMirrorCredentials]
	if !own && !shared {
		return provider.MirrorCredentials{}, nil
	}
	return hypershift.CopiedMirrorCredentials(ctx, r.Client, hcp.Namespace)
}

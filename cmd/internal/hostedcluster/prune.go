package hostedcluster

import (
	"context"
	"slices"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// prune deletes copies in the control plane namespace that nothing refers to
// any more: those of a reference that was taken out of hc, and the rules in a ConfigMap
// where the environment has them now; and copies of credentials for mirrors that are not among
// what was written. It is called last, when nothing that was written before
// refers to them.
func (r *Reconciler) prune(ctx context.Context, hc *hyperv1.HostedCluster, written []client.Object) error {
	if hc.Spec.SSHKey.Name == "" {
		if err := r.remove(ctx, hc, "Secret", hypershift.SSHKey); err != nil {
			return err
		}
	}
	if hc.Spec.AdditionalTrustBundle == nil {
		if err := r.remove(ctx, hc, "ConfigMap", hypershift.UserCABundle); err != nil {
			return err
		}
	}
	for _, name := range []string{hypershift.MirrorCredentials, hypershift.ManagementMirrorCredentials} {
		if !slices.ContainsFunc(written, func(o client.Object) bool { return o.GetName() == name }) {
			if err := r.remove(ctx, hc, "Secret", name); err != nil {
				return err
			}
		}
	}
	if r.Handover != HandoverConfigMap {
		return r.remove(ctx, hc, "ConfigMap", handover.ConfigMap)
	}
	return nil
}

// remove deletes a Secret or ConfigMap in the control plane namespace if it was written for
// hc. One that the cache does not know yet brings hc back here when it does.
func (r *Reconciler) remove(ctx context.Context, hc *hyperv1.HostedCluster, kind, name string) error {
	obj := copied(hc, kind, name)
	_, err := r.deleteOwn(ctx, r.Metadata, client.ObjectKeyFromObject(obj), obj, func() bool { return isOf(obj, hc) && obj.Labels[managedBy] == Owner })
	return err
}

// copied returns the metadata by which a Secret or ConfigMap in the control plane namespace
// is read from the cache.
func copied(hc *hyperv1.HostedCluster, kind, name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(hc), Name: name},
	}
}

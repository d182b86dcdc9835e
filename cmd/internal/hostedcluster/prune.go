package hostedcluster

import (
	"context"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// prune deletes copies in the control plane namespace that nothing refers to
// any more: those of a reference that was taken out of hc, and the rules in a ConfigMap
// where the environment has them now. Only what was written for hc is deleted, and
// last, when nothing that was written before refers to it. One that the cache does not
// know yet brings hc back here when it does.
func (r *Reconciler) prune(ctx context.Context, hc *hyperv1.HostedCluster) error {
	remove := func(kind, name string) error {
		obj := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: kind}}
		key := client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: name}
		_, err := r.deleteOwn(ctx, r.Metadata, key, obj, func() bool { return isOf(obj, hc) && obj.Labels[managedBy] == Owner })
		return err
	}
	if hc.Spec.SSHKey.Name == "" {
		if err := remove("Secret", hypershift.SSHKey); err != nil {
			return err
		}
	}
	if hc.Spec.AdditionalTrustBundle == nil {
		if err := remove("ConfigMap", hypershift.UserCABundle); err != nil {
			return err
		}
	}
	if r.Handover != HandoverConfigMap {
		return remove("ConfigMap", handover.ConfigMap)
	}
	return nil
}

package hostedcluster

import (
	"context"
	"fmt"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// reconciliationActive says whether hc is reconciled, as its spec.pausedUntil says.
func reconciliationActive(hc *hyperv1.HostedCluster, pause hypershift.Pause) metav1.Condition {
	status, reason, message := metav1.ConditionTrue, hyperv1.AsExpectedReason, "Reconciliation active on resource"
	switch {
	case pause.Invalid:
		reason = hyperv1.ReconciliationInvalidPausedUntilConditionReason
		message = fmt.Sprintf("spec.pausedUntil %q is neither true, false nor a time in RFC 3339, and pauses nothing", *hc.Spec.PausedUntil)
	case pause.Paused:
		status, reason, message = metav1.ConditionFalse, hyperv1.ReconciliationPausedConditionReason, "Reconciliation paused until field removed"
		if pause.Left > 0 {
			message = "Reconciliation paused until: " + *hc.Spec.PausedUntil
		}
	}
	return hypershift.Condition(hyperv1.ReconciliationActive, status, reason, message)
}

// handPause tells the control plane, if there is one, to pause or to go on. Nothing else is
// written for a paused cluster. It patches, because an apply would say all that is wanted.
func (r *Reconciler) handPause(ctx context.Context, hc *hyperv1.HostedCluster) error {
	hcp := new(hyperv1.HostedControlPlane)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hc.Name}, hcp)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if equality.Semantic.DeepEqual(hcp.Spec.PausedUntil, hc.Spec.PausedUntil) {
		return nil
	}
	before := hcp.DeepCopy()
	hcp.Spec.PausedUntil = hc.Spec.PausedUntil
	if err := r.Client.Patch(ctx, hcp, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(Owner)); err != nil {
		return fmt.Errorf("passing on spec.pausedUntil: %w", err)
	}
	return nil
}

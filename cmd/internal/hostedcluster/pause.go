package hostedcluster

import (
	"context"
	"fmt"
	"strconv"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pause is what spec.pausedUntil says.
type pause struct {
	paused bool
	left   time.Duration // of a pause that ends by itself
	active metav1.Condition
}

// pausedUntil reads hc's spec.pausedUntil: a boolean, or a time in RFC 3339. A value
// that is neither pauses nothing, and is told in the condition.
func pausedUntil(hc *hyperv1.HostedCluster, now time.Time) pause {
	active := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return condition(hyperv1.ReconciliationActive, status, reason, message)
	}
	running := pause{active: active(metav1.ConditionTrue, hyperv1.AsExpectedReason, "Reconciliation active on resource")}
	if hc.Spec.PausedUntil == nil {
		return running
	}
	text := *hc.Spec.PausedUntil
	if forever, err := strconv.ParseBool(text); err == nil {
		if !forever {
			return running
		}
		return pause{paused: true, active: active(metav1.ConditionFalse, hyperv1.ReconciliationPausedConditionReason,
			"Reconciliation paused until field removed")}
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		running.active = active(metav1.ConditionTrue, hyperv1.ReconciliationInvalidPausedUntilConditionReason,
			fmt.Sprintf("spec.pausedUntil %q is neither true, false nor a time in RFC 3339, and pauses nothing", text))
		return running
	}
	if left := until.Sub(now); left > 0 {
		return pause{paused: true, left: left, active: active(metav1.ConditionFalse, hyperv1.ReconciliationPausedConditionReason,
			"Reconciliation paused until: "+text)}
	}
	return running
}

// handPause tells the control plane, if there is one, to pause or to go on. This is
// all that is written of a paused cluster. It is a patch and no apply, because an
// apply says the whole of what is wanted.
func (r *Reconciler) handPause(ctx context.Context, hc *hyperv1.HostedCluster) error {
	hcp := new(hyperv1.HostedControlPlane)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: ControlPlaneNamespace(hc), Name: hc.Name}, hcp)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if equality.Semantic.DeepEqual(hcp.Spec.PausedUntil, hc.Spec.PausedUntil) {
		return nil
	}
	before := hcp.DeepCopy()
	hcp.Spec.PausedUntil = hc.Spec.PausedUntil
	if err := r.Client.Patch(ctx, hcp, client.MergeFrom(before), client.FieldOwner(Owner)); err != nil {
		return fmt.Errorf("passing on spec.pausedUntil: %w", err)
	}
	return nil
}

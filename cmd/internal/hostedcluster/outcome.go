package hostedcluster

import (
	"context"
	"errors"
	"slices"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// outcome is what one reconciliation has to say. Its methods return another one.
type outcome struct {
	conditions []metav1.Condition            // a later one of a type goes before an earlier one
	version    *hyperv1.ClusterVersionStatus // that the control plane reports, nil if it does not
	arch       hyperv1.PayloadArchType
	requeue    time.Duration     // when to come back, 0 for never
	below      *metav1.Condition // OverridesHandedOver of the control plane, where that is False
	view       *view             // the mirror rules, nil if they are not known
	unused     *unused           // nil if the CA bundle and the pull secret were not read
}

// with returns o with more conditions.
func (o outcome) with(more ...metav1.Condition) outcome {
	o.conditions = append(slices.Clip(o.conditions), more...)
	return o
}

// found returns o with what a lookup found, or why it failed or what it found is refused.
func (o outcome) found(hc *hyperv1.HostedCluster, f found, err error) outcome {
	if err == nil || errors.Is(err, errPayloadArch) || refused(err) {
		o.arch = f.arch
	}
	o.unused = &f.unused
	o = o.with(validReleaseSignature(f, err)...)
	o = o.with(validReleaseImage(hc, err))
	return o.with(progressing(hc, o, err))
}

// condition returns the condition of that type as it is with o, nil if there is none.
func (o outcome) condition(hc *hyperv1.HostedCluster, typ hyperv1.ConditionType) *metav1.Condition {
	now := slices.Clone(hc.Status.Conditions)
	for _, c := range o.conditions {
		apimeta.SetStatusCondition(&now, c)
	}
	return apimeta.FindStatusCondition(now, string(typ))
}

// report writes o into the status of hc, if that changes anything.
func (r *Reconciler) report(ctx context.Context, hc *hyperv1.HostedCluster, o outcome) error {
	_, err := operator.PatchStatus(ctx, r.Client, Owner, hc, func(hc *hyperv1.HostedCluster) {
		hc.Status.Version, hc.Status.PayloadArch = o.version, o.arch
		for _, c := range o.conditions {
			if c.Type == string(hypershift.OverridesHandedOver) && c.Status == metav1.ConditionTrue && o.below != nil {
				c = *o.below
			}
			operator.SetCondition(&hc.Status.Conditions, hc.Generation, c)
		}
		if r.Signatures == nil {
			apimeta.RemoveStatusCondition(&hc.Status.Conditions, string(hypershift.ValidReleaseSignature))
		}
		switch {
		case o.view == nil:
		case o.view.choice == nil:
			apimeta.RemoveStatusCondition(&hc.Status.Conditions, string(hypershift.ManagementMirrorsChosen))
		default:
			operator.SetCondition(&hc.Status.Conditions, hc.Generation, *o.view.choice)
		}
		if o.unused != nil {
			setUnused(hc, *o.unused)
		}
	})
	return err
}

// bubbledUp are conditions of the control plane that are shown on the HostedCluster.
var bubbledUp = [...]hyperv1.ConditionType{hyperv1.ValidReleaseInfo, hyperv1.IgnitionServerValidReleaseInfo, hyperv1.ClusterVersionUpgradeable}

// bubbleUp returns o with what the control plane reports.
func (r *Reconciler) bubbleUp(ctx context.Context, hc *hyperv1.HostedCluster, o outcome) (outcome, error) {
	hcp := new(hyperv1.HostedControlPlane)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hc.Name}, hcp)
	if err != nil {
		return o, client.IgnoreNotFound(err)
	}
	if v := hcp.Status.VersionStatus; v != nil {
		o.version = v
	}
	if c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(hypershift.OverridesHandedOver)); c != nil && c.Status == metav1.ConditionFalse {
		o.below = new(hypershift.Condition(hypershift.OverridesHandedOver, c.Status, c.Reason, "The control plane has the mirror rules and cannot hand them on: "+c.Message))
	}
	for _, typ := range bubbledUp {
		if c := apimeta.FindStatusCondition(hcp.Status.Conditions, string(typ)); c != nil {
			o = o.with(hypershift.Condition(typ, c.Status, c.Reason, c.Message))
		}
	}
	return o, nil
}

package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// Finalizer keeps a HostedCluster until its control plane is gone. The name is
// HyperShift's.
const Finalizer = "hypershift.openshift.io/finalizer"

// tearDown deletes hc's control plane, and removes the finalizer of hc when that is gone.
// The HostedControlPlane goes first, since others may need what is in the namespace to
// tear it down. Then goes the namespace with the rest, if it was written for hc: a
// namespace with only the label may be somebody else's. waiting says that something is not
// gone yet, and so does the condition [hypershift.HostedClusterDeleting]. Its deletion may
// cause no event here, so the caller must come back.
//
// It reads from the API server, so that it misses nothing that was made just now.
func (r *Reconciler) tearDown(ctx context.Context, hc *hyperv1.HostedCluster) (waiting bool, err error) {
	if !controllerutil.ContainsFinalizer(hc, Finalizer) {
		return false, nil
	}
	if err := r.handPause(ctx, hc); err != nil {
		return true, err
	}
	hcp, namespace := new(hyperv1.HostedControlPlane), new(corev1.Namespace)
	ns := hypershift.ControlPlaneNamespace(hc)
	gone, err := r.deleteOwn(ctx, r.Live, client.ObjectKey{Namespace: ns, Name: hc.Name}, hcp, func() bool { return isOf(hcp, hc) })
	if err != nil || !gone {
		return true, r.sayDeleting(ctx, hc, hypershift.WaitingForControlPlaneReason, waitsForControlPlane(hcp), err)
	}
	gone, err = r.deleteOwn(ctx, r.Live, client.ObjectKey{Name: ns}, namespace, func() bool { return isOf(namespace, hc) })
	if err != nil || !gone {
		return true, r.sayDeleting(ctx, hc, hypershift.WaitingForNamespaceReason, waitsForNamespace(namespace), err)
	}
	if len(hc.Finalizers) > 1 { // else nobody sees it
		if err := r.sayDeleting(ctx, hc, hypershift.DeletionCompletedReason, waitsForOthers(hc), nil); err != nil {
			return false, err
		}
	}
	before := hc.DeepCopy()
	controllerutil.RemoveFinalizer(hc, Finalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, hc, patch, client.FieldOwner(Owner)); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("removing the finalizer %s: %w", Finalizer, err)
	}
	return false, nil
}

// sayDeleting says in the condition of hc what its deletion waits for, or what failed, and
// returns that failure.
func (r *Reconciler) sayDeleting(ctx context.Context, hc *hyperv1.HostedCluster, reason, message string, failure error) error {
	if failure != nil {
		message = failure.Error()
	}
	o := outcome{version: hc.Status.Version, arch: hc.Status.PayloadArch}
	err := r.report(ctx, hc, o.with(hypershift.Condition(hypershift.HostedClusterDeleting, metav1.ConditionTrue, reason, message)))
	return errors.Join(failure, client.IgnoreNotFound(err))
}

// notDeleting says that a HostedCluster is not being deleted.
func notDeleting() metav1.Condition {
	return hypershift.Condition(hypershift.HostedClusterDeleting, metav1.ConditionFalse, hyperv1.AsExpectedReason, "The HostedCluster is not being deleted")
}

func waitsForControlPlane(hcp *hyperv1.HostedControlPlane) string {
	text := fmt.Sprintf("Waiting for HostedControlPlane %s to be deleted", client.ObjectKeyFromObject(hcp))
	if len(hcp.Finalizers) > 0 {
		text += ", which waits for who has the finalizers " + strings.Join(hcp.Finalizers, ", ")
	}
	if hypershift.ReadPause(hcp.Spec.PausedUntil, time.Now()).Paused {
		text += ". It is paused: who heeds that lets it go once spec.pausedUntil of the HostedCluster is removed"
	}
	return text
}

// remaining are the conditions by which a namespace says what keeps it.
var remaining = [...]corev1.NamespaceConditionType{
	corev1.NamespaceDeletionDiscoveryFailure, corev1.NamespaceDeletionGVParsingFailure, corev1.NamespaceDeletionContentFailure,
	corev1.NamespaceContentRemaining, corev1.NamespaceFinalizersRemaining,
}

func waitsForNamespace(ns *corev1.Namespace) string {
	text := fmt.Sprintf("Waiting for namespace %s to be deleted", ns.Name)
	for _, typ := range remaining {
		for _, c := range ns.Status.Conditions {
			if c.Type == typ && c.Status == corev1.ConditionTrue {
				text += "; " + c.Message
			}
		}
	}
	return text
}

func waitsForOthers(hc *hyperv1.HostedCluster) string {
	others := slices.DeleteFunc(slices.Clone(hc.Finalizers), func(name string) bool { return name == Finalizer })
	return "The control plane is gone; the HostedCluster waits for who has the finalizers " + strings.Join(others, ", ")
}

// tearDownPoll is how often tearDown is called again while it waits.
const tearDownPoll = 5 * time.Second

// deleteOwn deletes the object of that key, read from there into obj, if it then is our own, and
// reports whether there is none of ours any more. Nobody else's is touched.
func (r *Reconciler) deleteOwn(ctx context.Context, from client.Reader, key client.ObjectKey, obj client.Object, own func() bool) (gone bool, err error) {
	switch err := from.Get(ctx, key, obj); {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("deleting %T %s: %w", obj, key, err)
	case !own():
		return true, nil
	case !obj.GetDeletionTimestamp().IsZero():
		return false, nil // somebody has something to do before
	}
	err = r.Client.Delete(ctx, obj, client.Preconditions{UID: new(obj.GetUID()), ResourceVersion: new(obj.GetResourceVersion())})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("deleting %T %s: %w", obj, key, err)
	}
	// Without finalizers it is gone now, and nobody tells of it again.
	return len(obj.GetFinalizers()) == 0 && !isNamespace(obj), nil
}

// isNamespace reports whether obj is a namespace, whose finalizers are in its spec.
func isNamespace(obj client.Object) bool {
	_, ok := obj.(*corev1.Namespace)
	return ok
}

package hostedcluster

import (
	"context"
	"fmt"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
// gone yet. Its deletion may cause no event here, so the caller must come back.
//
// It reads from the API server, so that it misses nothing that was made just now.
func (r *Reconciler) tearDown(ctx context.Context, hc *hyperv1.HostedCluster) (waiting bool, err error) {
	if !controllerutil.ContainsFinalizer(hc, Finalizer) {
		return false, nil
	}
	hcp, namespace := new(hyperv1.HostedControlPlane), new(corev1.Namespace)
	ns := hypershift.ControlPlaneNamespace(hc)
	if gone, err := r.deleteOwn(ctx, r.Live, client.ObjectKey{Namespace: ns, Name: hc.Name}, hcp, func() bool { return isOf(hcp, hc) }); err != nil || !gone {
		return true, err
	}
	if gone, err := r.deleteOwn(ctx, r.Live, client.ObjectKey{Name: ns}, namespace, func() bool { return isOf(namespace, hc) }); err != nil || !gone {
		return true, err
	}
	before := hc.DeepCopy()
	controllerutil.RemoveFinalizer(hc, Finalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, hc, patch, client.FieldOwner(Owner)); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("removing the finalizer %s: %w", Finalizer, err)
	}
	return false, nil
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

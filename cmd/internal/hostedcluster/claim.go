package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// prepare writes into hc what must be there before anything is made for it: the
// finalizer, and what HyperShift fills in once where it is left out. It writes once, the
// first time. Where hc was read too early it returns a conflict.
func (r *Reconciler) prepare(ctx context.Context, hc *hyperv1.HostedCluster) error {
	before := hc.DeepCopy()
	changed := controllerutil.AddFinalizer(hc, Finalizer)
	if hc.Spec.InfraID == "" {
		hc.Spec.InfraID, changed = newInfraID(hc.Name), true
	}
	if hc.Spec.ClusterID == "" {
		hc.Spec.ClusterID, changed = string(uuid.NewUUID()), true
	}
	if !changed {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, hc, patch, client.FieldOwner(Owner)); err != nil {
		return fmt.Errorf("adding the finalizer and the identifiers of the cluster: %w", err)
	}
	return nil
}

// newInfraID returns name, as far as an infraID takes it, and a random end that tells
// clusters of one name apart. It has at most 32 characters, since names of cloud
// resources are made of it.
func newInfraID(name string) string {
	const most, random = 32, 5
	base := strings.ReplaceAll(name, ".", "-")
	base = base[:min(len(base), most-random-1)]
	return strings.TrimRight(base, "-") + "-" + rand.String(random)
}

// errNotOurs says that the control plane namespace is somebody else's.
var errNotOurs = errors.New("the control plane namespace is taken")

// checkNamespace fails where the namespace of hc's control plane is there and is no control
// plane namespace, or that of another HostedCluster: two may have names that make one
// (a/b-c and a-b/c), and one would get the other's pull secret. One that HyperShift
// made is taken over. It returns nil where there is none.
func (r *Reconciler) checkNamespace(ctx context.Context, hc *hyperv1.HostedCluster) (*corev1.Namespace, error) {
	ns, key := new(corev1.Namespace), client.ObjectKey{Name: hypershift.ControlPlaneNamespace(hc)}
	err := r.Client.Get(ctx, key, ns)
	if apierrors.IsNotFound(err) { // the cache has only ours
		err = r.Live.Get(ctx, key, ns)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the control plane namespace: %w", err)
	}
	return ns, usable(ns, hc)
}

// usable returns nil where ns is hc's, and else says whose it is.
func usable(ns *corev1.Namespace, hc *hyperv1.HostedCluster) error {
	owner, err := clusterOf(ns)
	switch {
	case err == nil && owner == client.ObjectKeyFromObject(hc):
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s is that of HostedCluster %s; give one of the two another name", errNotOurs, ns.Name, owner)
	case ns.Labels[hypershift.ControlPlaneLabel] != "true":
		return fmt.Errorf("%w: %s is there and is no control plane namespace; name the HostedCluster otherwise, or hand the namespace over with the label %s=true", errNotOurs, ns.Name, hypershift.ControlPlaneLabel)
	}
	return nil
}

// createNamespace creates the control plane namespace. Of two HostedClusters one gets it.
func (r *Reconciler) createNamespace(ctx context.Context, hc *hyperv1.HostedCluster) error {
	a := r.applier()
	err := a.Create(ctx, namespace(hc))
	if apierrors.IsConflict(err) {
		_, err = r.checkNamespace(ctx, hc)
	}
	if err != nil {
		return fmt.Errorf("making the control plane namespace: %w", err)
	}
	return nil
}

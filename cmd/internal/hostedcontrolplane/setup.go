package hostedcontrolplane

import (
	"context"
	"fmt"
	"slices"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources"
)

// CacheOptions keep the cache to the operator's namespace.
func CacheOptions(namespace string) cache.Options {
	return cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}}
}

// ClientOptions read Secrets from the API server, as [Reconciler] wants it; what they
// hold is never kept.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}}
}

// SetupWithManager adds r to mgr. A HostedControlPlane is reconciled when it changes, when
// somebody changes an object that it owns, when its pull secret changes, and when the
// rules change.
func (r *Reconciler) SetupWithManager(mgr manager.Manager, resolver *sources.Resolver) error {
	rules, err := operator.OnRules(mgr, resolver, &hyperv1.HostedControlPlaneList{})
	if err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &hyperv1.HostedControlPlane{}, secretsIndex, secrets); err != nil {
		return fmt.Errorf("indexing HostedControlPlanes by their Secrets: %w", err)
	}
	concerned := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, secret client.Object) []reconcile.Request {
		return concerned(ctx, mgr.GetClient(), secret)
	})
	// The operator itself writes the status, and so do others, whose changes do not matter.
	spec := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{})
	// Only whether a Deployment is complete matters of its status.
	rollout := predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, ok := e.ObjectOld.(*appsv1.Deployment)
		is, ok2 := e.ObjectNew.(*appsv1.Deployment)
		return ok && ok2 && complete(was) != complete(is)
	}}
	err = ctrl.NewControllerManagedBy(mgr).
		Named("hostedcontrolplane").
		For(&hyperv1.HostedControlPlane{}, builder.WithPredicates(spec)).
		Owns(&appsv1.Deployment{}, builder.WithPredicates(predicate.Or(spec, rollout))).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&rbacv1.Role{}).
		Owns(&rbacv1.RoleBinding{}).
		WatchesMetadata(&corev1.Secret{}, concerned).
		WatchesRawSource(rules).
		WithOptions(controller.Options{
			RateLimiter: operator.Backoff(operator.LongestRetry),
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("setting up the controller: %w", err)
	}
	return nil
}

// secretsIndex is the index of HostedControlPlanes by the names of the Secrets that matter
// to them.
const secretsIndex = "mirrorchain.io/secrets"

// secrets returns the names of the Secrets that matter to a HostedControlPlane.
func secrets(obj client.Object) []string {
	hcp, ok := obj.(*hyperv1.HostedControlPlane)
	if !ok {
		return nil
	}
	names := []string{
		hypershift.PullSecret, hypershift.MirrorCredentials, hypershift.ManagementMirrorCredentials,
		hypershift.IgnitionServer, hypershift.IgnitionAuthority,
	}
	if name := hcp.Spec.PullSecret.Name; name != "" && !slices.Contains(names, name) {
		names = append(names, name)
	}
	return names
}

// concerned returns the HostedControlPlanes that a Secret matters to. It asks the index,
// and copies none.
func concerned(ctx context.Context, c client.Reader, secret client.Object) []reconcile.Request {
	var list hyperv1.HostedControlPlaneList
	err := c.List(ctx, &list, client.InNamespace(secret.GetNamespace()), client.MatchingFields{secretsIndex: secret.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing whom a Secret concerns", "secret", secret.GetName())
		return nil
	}
	var all []reconcile.Request
	for i := range list.Items {
		all = append(all, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return all
}

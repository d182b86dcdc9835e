package hostedcluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	ctrlsource "sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources"
)

const (
	// longestRetry is how long a HostedCluster that cannot be reconciled waits at most.
	longestRetry = 2 * time.Minute
	// workers is how many are reconciled at once: most of that is waiting for the API server.
	// Those of one namespace have half of them; see [turns].
	workers = 40
)

// CacheOptions returns options by which a manager caches what this operator writes and
// nothing else of those kinds.
func CacheOptions() cache.Options {
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{managedBy: Owner})}
	named := cache.ByObject{Transform: onlyName}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Namespace{}: ours, &corev1.ServiceAccount{}: ours,
			&rbacv1.Role{}: ours, &rbacv1.RoleBinding{}: ours, &appsv1.Deployment{}: ours,
			&corev1.Secret{}: named, &corev1.ConfigMap{}: named,
		},
	}
}

// onlyName reduces the metadata of a Secret or ConfigMap to what says which one it is, and
// whether it is ours. A cluster has tens of thousands of them.
func onlyName(obj any) (any, error) {
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	keep := func(from map[string]string, key string) map[string]string {
		if v, ok := from[key]; ok {
			return map[string]string{key: v}
		}
		return nil
	}
	return &metav1.PartialObjectMetadata{TypeMeta: m.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		DeletionTimestamp: m.DeletionTimestamp, Finalizers: m.Finalizers,
		Labels: keep(m.Labels, managedBy), Annotations: keep(m.Annotations, clusterAnnotation),
	}}, nil
}

// ClientOptions returns options by which Secrets and ConfigMaps are read from the API
// server. Only their metadata is cached, so that this process never holds every Secret of
// the cluster.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}}
}

// SetupWithManager adds r to mgr. A HostedCluster is reconciled when it changes, when something
// changes that was written for it or that it refers to, and when the rules of
// resolver or the authorities of the management cluster do.
func (r *Reconciler) SetupWithManager(mgr manager.Manager, resolver *sources.Resolver) error {
	rules, err := operator.OnRulesAfter(mgr, resolver, &hyperv1.HostedClusterList{}, r.handOverToAll)
	if err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &hyperv1.HostedCluster{}, usesIndex, uses); err != nil {
		return fmt.Errorf("indexing HostedClusters by what they refer to: %w", err)
	}
	r.background, r.settled = newBackground(), operator.NewSettled()
	if err := mgr.Add(manager.RunnableFunc(r.background.Start)); err != nil {
		return err
	}
	authorities, err := operator.OnChanges(mgr, &hyperv1.HostedClusterList{}, func(ctx context.Context, each func()) {
		r.managed.follow(ctx, r.Live, each)
	})
	if err != nil {
		return err
	}
	credentials, err := operator.OnChanges(mgr, &hyperv1.HostedClusterList{}, func(ctx context.Context, each func()) {
		r.operatorSecret.follow(ctx, r.Live, each)
	})
	if err != nil {
		return err
	}
	signatures, err := operator.OnSignatures(mgr, r.Signatures, &hyperv1.HostedClusterList{})
	if err != nil {
		return err
	}
	lookups := ctrlsource.Channel(r.background.wake, &handler.EnqueueRequestForObject{})
	written := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, obj client.Object) []reconcile.Request {
		key, err := clusterOf(obj)
		if err != nil {
			return nil // not written for a HostedCluster
		}
		return []reconcile.Request{{NamespacedName: key}}
	})
	using := func(ctx context.Context, obj client.Object) []reconcile.Request {
		if key, err := clusterOf(obj); err == nil {
			return []reconcile.Request{{NamespacedName: key}}
		}
		return users(ctx, mgr.GetClient(), obj)
	}
	// Not for status, of which one's own would be an endless story and a Deployment's no
	// news.
	edited := predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{},
	)
	var reasons reasons
	b := builder.ControllerManagedBy(mgr).
		Named("hostedcluster").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             lookupLimiter{operator.Backoff(longestRetry), r.background.has},
			NewQueue: func(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
				return newQueue(name, limiter, newTurns(workers, reasons.of))
			},
		}).
		For(&hyperv1.HostedCluster{}, builder.WithPredicates(reasons.notice(), edited)).
		Watches(&hyperv1.HostedControlPlane{}, written). // its status is shown on the HostedCluster
		Watches(&appsv1.Deployment{}, written, builder.WithPredicates(edited)).
		Watches(&corev1.Namespace{}, written).
		Watches(&corev1.ServiceAccount{}, written).
		Watches(&rbacv1.Role{}, written).
		Watches(&rbacv1.RoleBinding{}, written).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
			r.operatorSecret.notice(obj)
			return using(ctx, obj)
		})).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
			r.managed.notice(obj)
			return using(ctx, obj)
		})).
		WatchesRawSource(rules).
		WatchesRawSource(authorities).
		WatchesRawSource(credentials).
		WatchesRawSource(lookups)
	if signatures != nil {
		b = b.WatchesRawSource(signatures)
	}
	return b.Complete(r)
}

// usesIndex is the index of HostedClusters by the names of the Secrets and ConfigMaps that
// they refer to.
const usesIndex = "mirrorchain.io/uses"

// uses returns the names of the Secrets and ConfigMaps that a HostedCluster refers to.
func uses(obj client.Object) []string {
	hc, ok := obj.(*hyperv1.HostedCluster)
	if !ok {
		return nil
	}
	names := []string{hc.Spec.PullSecret.Name, hc.Spec.SSHKey.Name, hc.Annotations[hypershift.AnnotationMirrorCredentials]}
	if bundle := hc.Spec.AdditionalTrustBundle; bundle != nil {
		names = append(names, bundle.Name)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// users returns the HostedClusters that refer to obj, a Secret or a ConfigMap. It asks the
// index, and copies none: at the start, and after a failover, there is an event for each
// Secret and ConfigMap of the cluster.
func users(ctx context.Context, c client.Reader, obj client.Object) []reconcile.Request {
	var list hyperv1.HostedClusterList
	err := c.List(ctx, &list, client.InNamespace(obj.GetNamespace()), client.MatchingFields{usesIndex: obj.GetName()}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil // from the cache, which has synced
	}
	var out []reconcile.Request
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// askAgain is how long the answer holds that a cluster has no SecurityContextConstraints:
// their API may have been away.
const askAgain = 10 * time.Minute

// HasSCC returns a function that reports whether the cluster has
// SecurityContextConstraints. It asks mapper until the cluster has them: a cluster does
// not lose them. It asks again every ten minutes while there are none.
func HasSCC(mapper apimeta.RESTMapper) func() (bool, error) {
	var mu sync.Mutex // guards what follows, not the question
	var has bool
	var asked time.Time
	return func() (bool, error) {
		mu.Lock()
		known, answer := has || !asked.IsZero() && time.Since(asked) < askAgain, has
		mu.Unlock()
		if known {
			return answer, nil
		}
		_, err := mapper.RESTMapping(schema.GroupKind{Group: "security.openshift.io", Kind: "SecurityContextConstraints"})
		if err != nil && !apimeta.IsNoMatchError(err) {
			return false, err
		}
		mu.Lock()
		defer mu.Unlock()
		has, asked = err == nil, time.Now()
		return has, nil
	}
}

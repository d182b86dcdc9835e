package controller

import (
	"context"
	"fmt"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources"
)

// cacheOptions limits the cache to the namespace. It holds only metadata.
func cacheOptions(namespace string) cache.Options {
	return cache.Options{
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		DefaultTransform:  cache.TransformStripManagedFields(),
	}
}

// clientOptions has everything read from the API server.
func clientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{
		DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &hyperv1.HostedControlPlane{}},
	}}
}

// tokenSecrets lets token Secrets through, and Secrets that are none any more.
func tokenSecrets() predicate.Predicate {
	is := func(o client.Object) bool { return o != nil && isToken(o.GetAnnotations()) }
	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return is(e.Object) },
		UpdateFunc:  func(e event.UpdateEvent) bool { return is(e.ObjectOld) || is(e.ObjectNew) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return is(e.Object) },
		GenericFunc: func(e event.GenericEvent) bool { return is(e.Object) },
	}
}

// inputs lets objects through that payloads are made of.
func inputs() predicate.Predicate {
	return predicate.And(predicate.ResourceVersionChangedPredicate{},
		predicate.NewPredicateFuncs(func(o client.Object) bool { return isInput(o.GetName()) }))
}

// secretList returns an empty list of metadata.
func secretList() *metav1.PartialObjectMetadataList {
	l := new(metav1.PartialObjectMetadataList)
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	return l
}

// SetupWithManager adds r to mgr. A token Secret is reconciled when it changes, when an
// object changes that payloads are made of, when the rules change, and when its slot is
// free; a payload that is served is not made again for it. Nothing is reconciled before
// the store has dropped payloads of Secrets that were deleted while no server ran.
// parallel payloads are made at once.
func (r *Reconciler) SetupWithManager(mgr manager.Manager, resolver *sources.Resolver, namespace string, parallel int) error {
	rules, err := operator.OnRules(mgr, resolver, secretList(), tokenSecrets())
	if err != nil {
		return err
	}
	g := &gate{reconciler: r, cache: mgr.GetCache(), namespace: namespace, open: make(chan struct{})}
	woken := make(chan event.GenericEvent)
	r.Slots = NewSlots(parallel, func(ctx context.Context, name string) {
		secret := new(metav1.PartialObjectMetadata)
		secret.Namespace, secret.Name = namespace, name
		select {
		case woken <- event.GenericEvent{Object: secret}:
		case <-ctx.Done(): // nothing is reconciled any more
		}
	})
	if err := mgr.Add(manager.RunnableFunc(g.start)); err != nil {
		return fmt.Errorf("setting up the controller: %w", err)
	}
	every := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		r.memory.endWaits()
		all, err := everyToken(ctx, mgr.GetCache(), namespace)
		if err != nil {
			log.FromContext(ctx).Error(err, "listing token secrets")
		}
		return all
	})
	err = ctrl.NewControllerManagedBy(mgr).
		Named("tokensecret").
		For(&corev1.Secret{}, builder.OnlyMetadata, builder.WithPredicates(tokenSecrets())).
		WatchesMetadata(&corev1.Secret{}, every, builder.WithPredicates(inputs())).
		WatchesMetadata(&corev1.ConfigMap{}, every, builder.WithPredicates(inputs())).
		WatchesRawSource(rules).
		WatchesRawSource(source.Channel(woken, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{
			// Some workers are left for short work while payloads are made.
			MaxConcurrentReconciles: parallel + 4,
			RateLimiter:             operator.Backoff(operator.LongestRetry),
		}).
		Complete(g)
	if err != nil {
		return fmt.Errorf("setting up the controller: %w", err)
	}
	return nil
}

// everyToken lists the token Secrets.
func everyToken(ctx context.Context, c client.Reader, namespace string) ([]reconcile.Request, error) {
	list := secretList()
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var all []reconcile.Request
	for i := range list.Items {
		if isToken(list.Items[i].Annotations) {
			all = append(all, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return all, nil
}

// gate holds reconciliations back until the store is tidy.
type gate struct {
	reconciler *Reconciler
	cache      client.Reader
	namespace  string
	open       chan struct{}
}

// start drops the tokens of Secrets that were deleted while no server ran.
func (g *gate) start(ctx context.Context) error {
	for {
		list := secretList()
		err := g.reconciler.Client.List(ctx, list, client.InNamespace(g.namespace))
		if err == nil {
			err = g.begin(ctx)
		}
		if err == nil {
			there := map[string]string{}
			for i := range list.Items {
				if isToken(list.Items[i].Annotations) {
					there[list.Items[i].Name] = string(list.Items[i].UID)
				}
			}
			err = g.reconciler.Store.Retain(ctx, there)
			if err != nil {
				log.FromContext(ctx).Error(err, "dropping payloads of secrets that are gone")
			}
			close(g.open)
			return nil
		}
		log.FromContext(ctx).Error(err, "listing the token secrets; trying again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(operator.FirstRetry):
		}
	}
}

// begin begins the first pass, over the Secrets in the cache: each of them is reconciled,
// if only because it was deleted.
func (g *gate) begin(ctx context.Context) error {
	all, err := everyToken(ctx, g.cache, g.namespace)
	if err != nil {
		return err
	}
	var names []string
	for _, req := range all {
		names = append(names, req.Name)
	}
	g.reconciler.first.begin(names)
	if len(names) > 0 {
		return nil
	}
	return g.reconciler.Release.Write(ctx, true) // there is nothing that could lack anything
}

// Reconcile calls that of the reconciler once the gate is open.
func (g *gate) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	select {
	case <-g.open:
		return g.reconciler.Reconcile(ctx, req)
	case <-ctx.Done():
		return ctrl.Result{}, ctx.Err()
	}
}

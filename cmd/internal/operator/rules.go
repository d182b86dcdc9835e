package operator

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

// TagsFollow gives the rules of current with digest rules (ICSP, IDMS) serving tags
// too: what the operators look releases up with, since HyperShift does so and its
// users name releases by tag. What is handed on are the rules of current itself,
// which stay as the policies say: whoever receives them decides on its own lookups,
// and pulls of components by tag must not be sent where only digests are mirrored.
//
// Both come of one snapshot; the second is worked out once for each. Nil rules stay
// nil.
func TagsFollow(current func() *policy.Rules) func() *policy.Rules {
	type pair struct{ of, follows *policy.Rules }
	var last atomic.Pointer[pair]
	return func() *policy.Rules {
		rules := current()
		if rules == nil {
			return nil
		}
		if p := last.Load(); p != nil && p.of == rules {
			return p.follows
		}
		follows, err := policy.NewRules(policy.RulesConfig{TagsFollowDigestRules: true}, rules.Policy())
		if err != nil {
			// Merged rules merge, so this is not expected. Without mirrors for tags less is
			// found; nothing is contacted that policy forbids.
			follows = rules
		}
		last.Store(&pair{rules, follows})
		return follows
	}
}

// OnRules returns a source that has every object of list's kind reconciled when the rules
// change, and when there are rules for the first time; where there are predicates, only
// those that they let through. It lists with the manager's client, only while this
// replica is the active one.
func OnRules(mgr manager.Manager, resolver *sources.Resolver, list client.ObjectList, only ...predicate.Predicate) (source.Source, error) {
	return OnRulesAfter(mgr, resolver, list, nil, only...)
}

// OnRulesAfter returns [OnRules] with something to be done first: first is called with the
// new rules and with a list of all objects, which it does not modify, and none is
// reconciled for these rules before it returns. It is called on a goroutine of its own,
// so that it waits for no reconciler. Nil is nothing.
func OnRulesAfter(mgr manager.Manager, resolver *sources.Resolver, list client.ObjectList, first func(context.Context, *policy.Rules, client.ObjectList), only ...predicate.Predicate) (source.Source, error) {
	return OnChanges(mgr, list, func(ctx context.Context, each func()) {
		for rules := range resolver.Changes(ctx) {
			if first != nil {
				if all := listAll(ctx, mgr, list); all != nil {
					first(ctx, rules, all)
				}
			}
			each()
		}
	}, only...)
}

// OnChanges returns a source that has every object of list's kind reconciled when follow
// calls each; where there are predicates, only those that they let through. follow is called
// once this replica is the active one, and returns when ctx ends.
func OnChanges(mgr manager.Manager, list client.ObjectList, follow func(ctx context.Context, each func()), only ...predicate.Predicate) (source.Source, error) {
	events := make(chan event.GenericEvent)
	err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		follow(ctx, func() {
			if all := listAll(ctx, mgr, list); all != nil {
				_ = meta.EachListItem(all, sender(ctx, events)) // ends early with ctx
			}
		})
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("following what lookups depend on: %w", err)
	}
	return source.Channel(events, &handler.EnqueueRequestForObject{}, source.WithPredicates[client.Object, reconcile.Request](only...)), nil
}

// relist is how long a failed list waits to be tried again.
const relist = time.Second

// listAll lists until that goes well. It is nil when ctx has ended. What is listed may be
// what a cache holds, and is not to be modified.
func listAll(ctx context.Context, mgr manager.Manager, list client.ObjectList) client.ObjectList {
	for {
		now := list.DeepCopyObject().(client.ObjectList)
		err := mgr.GetClient().List(ctx, now, client.UnsafeDisableDeepCopy)
		if err == nil {
			return now
		}
		mgr.GetLogger().Error(err, "listing what a change concerns; trying again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(relist):
		}
	}
}

func sender(ctx context.Context, events chan<- event.GenericEvent) func(runtime.Object) error {
	return func(item runtime.Object) error {
		select {
		case events <- event.GenericEvent{Object: item.(client.Object)}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

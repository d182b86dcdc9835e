package hostedcluster

import (
	"slices"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// lane is what takes turns in the work queue: the deletions of a namespace, and all else of
// it. One tenant's 1,000 new HostedClusters then hold up no other tenant, and no deletion.
type lane struct {
	namespace string
	deletions bool
}

// turns is the order of a work queue. Lanes take turns, one request at a time. In a lane the
// first request in is the first out. The work queue that it is made for locks it.
type turns struct {
	deleting func(reconcile.Request) bool
	requests map[lane][]reconcile.Request // no lane is empty
	lanes    []lane                       // those of requests, the next one first
	in       map[reconcile.Request]lane
}

// newTurns returns a queue without requests. deleting reports whether a HostedCluster is
// being deleted. It is called while the work queue is locked.
func newTurns(deleting func(reconcile.Request) bool) *turns {
	return &turns{deleting: deleting, requests: map[lane][]reconcile.Request{}, in: map[reconcile.Request]lane{}}
}

// newQueue returns the work queue of a controller, in which requests take turns.
func newQueue(name string, limiter workqueue.TypedRateLimiter[reconcile.Request], order *turns) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{Name: name, Queue: order})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{DelayingQueue: delaying})
}

// Push adds a request that is not there.
func (t *turns) Push(r reconcile.Request) {
	l := lane{r.Namespace, t.deleting(r)}
	if len(t.requests[l]) == 0 {
		t.lanes = append(t.lanes, l)
	}
	t.requests[l] = append(t.requests[l], r)
	t.in[r] = l
}

// Touch says that a request that is there was made again. It changes lanes if its
// HostedCluster has been deleted since.
func (t *turns) Touch(r reconcile.Request) {
	l := t.in[r]
	if l.deletions == t.deleting(r) {
		return
	}
	rest := slices.DeleteFunc(t.requests[l], func(other reconcile.Request) bool { return other == r })
	if t.requests[l] = rest; len(rest) == 0 {
		delete(t.requests, l)
		t.lanes = slices.DeleteFunc(t.lanes, func(other lane) bool { return other == l })
	}
	t.Push(r)
}

// Len returns how many requests there are.
func (t *turns) Len() int { return len(t.in) }

// Pop removes a request and returns it. There must be one.
func (t *turns) Pop() reconcile.Request {
	l := t.lanes[0]
	t.lanes = t.lanes[1:]
	r := t.requests[l][0]
	if t.requests[l] = t.requests[l][1:]; len(t.requests[l]) == 0 {
		delete(t.requests, l)
	} else {
		t.lanes = append(t.lanes, l)
	}
	delete(t.in, r)
	return r
}

// deletions are the HostedClusters that are being deleted, as far as events have told. Its
// zero value is ready, and safe for concurrent use.
type deletions struct {
	names sync.Map // of client.ObjectKey
}

// has reports whether a HostedCluster is being deleted.
func (d *deletions) has(r reconcile.Request) bool {
	_, ok := d.names.Load(r.NamespacedName)
	return ok
}

// notice returns a predicate that follows the events of HostedClusters, and lets all through.
func (d *deletions) notice() predicate.Predicate {
	are := func(obj client.Object) bool {
		if key := client.ObjectKeyFromObject(obj); obj.GetDeletionTimestamp().IsZero() {
			d.names.Delete(key) // there may have been another one of that name
		} else {
			d.names.Store(key, nil)
		}
		return true
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return are(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return are(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool {
			d.names.Delete(client.ObjectKeyFromObject(e.Object))
			return true
		},
	}
}

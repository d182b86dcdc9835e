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

// turns is the order of a work queue. The lane that has the fewest workers is next; lanes that
// have as many take turns. In a lane the first request in is the first out. No lane has more
// workers than it leaves idle: it gets half of them while nobody else has any, and then the
// next lane half of what is left. So reconciliations that take long, because the API server
// is slow to admit what one tenant writes, never hold all workers. The work queue that it is
// made for locks it.
type turns struct {
	workers  int
	deleting func(reconcile.Request) bool
	requests map[lane][]reconcile.Request // no lane is empty
	lanes    []lane                       // those of requests, the next one first
	in       map[reconcile.Request]lane

	mu      sync.Mutex                 // guards what follows: done is called without the work queue's lock
	working map[reconcile.Request]lane // requests that a worker has
	busy    map[lane]int               // of working
}

// newTurns returns a queue without requests, for that many workers. deleting reports whether
// a HostedCluster is being deleted. It is called while the work queue is locked.
func newTurns(workers int, deleting func(reconcile.Request) bool) *turns {
	return &turns{
		workers: workers, deleting: deleting, requests: map[lane][]reconcile.Request{}, in: map[reconcile.Request]lane{},
		working: map[reconcile.Request]lane{}, busy: map[lane]int{},
	}
}

// newQueue returns the work queue of a controller, in which requests take turns.
func newQueue(name string, limiter workqueue.TypedRateLimiter[reconcile.Request], order *turns) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	queue := turnsQueue{workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{Name: name, Queue: order}), order}
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{DelayingQueue: delaying})
}

// turnsQueue is a work queue that tells its order when a worker is done. That makes room for
// one request at most, which that worker takes next: no other has to be woken.
type turnsQueue struct {
	workqueue.TypedInterface[reconcile.Request]
	order *turns
}

// Done says that a worker is done with r.
func (q turnsQueue) Done(r reconcile.Request) {
	q.order.done(r)
	q.TypedInterface.Done(r)
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

// Len returns how many requests there are, and 0 if none of them may have a worker now.
func (t *turns) Len() int {
	if t.next() < 0 {
		return 0
	}
	return len(t.in)
}

// next returns which of t.lanes is next, -1 if none may have a worker.
func (t *turns) next() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, fewest := -1, t.workers-len(t.working)
	for i, l := range t.lanes {
		if n := t.busy[l]; n < fewest {
			next, fewest = i, n
		}
		if fewest == 0 {
			break
		}
	}
	return next
}

// Pop removes a request, for a worker, and returns it. Len must not be 0.
func (t *turns) Pop() reconcile.Request {
	i := t.next()
	l := t.lanes[i]
	t.lanes = slices.Delete(t.lanes, i, i+1)
	r := t.requests[l][0]
	if t.requests[l] = t.requests[l][1:]; len(t.requests[l]) == 0 {
		delete(t.requests, l)
	} else {
		t.lanes = append(t.lanes, l)
	}
	delete(t.in, r)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.working[r] = l
	t.busy[l]++
	return r
}

// done says that the worker that got r is idle.
func (t *turns) done(r reconcile.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.working[r]
	if !ok {
		return
	}
	delete(t.working, r)
	if t.busy[l]--; t.busy[l] == 0 {
		delete(t.busy, l)
	}
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

package hostedcluster

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// lane is what takes turns in the work queue: the deletions of a namespace, the changes of
// its HostedClusters, and all else of it. One tenant's 1,000 new HostedClusters then hold up no
// other tenant, and no deletion; and an upgrade does not wait until the whole fleet was
// reconciled after a restart or an edit of the policies.
type lane struct {
	namespace string
	reason    reason
}

// reason is why a HostedCluster is to be reconciled.
type reason int

const (
	related  reason = iota // something that it depends on has changed, or it is retried
	changed                // its spec has changed since it was last reconciled
	deletion               // it is being deleted
)

// turns is the order of a work queue. The lane that has the fewest workers is next; lanes that
// have as many take turns. In a lane the first request in is the first out. No lane has more
// workers than it leaves idle: it gets half of them while nobody else has any, and then the
// next lane half of what is left. Where its namespace has as many as are idle it gets [spare].
// So reconciliations that take long, because the API server
// is slow to admit what one tenant writes, never hold all workers. The work queue that it is
// made for locks it.
type turns struct {
	workers  int
	reason   func(reconcile.Request) reason
	requests map[lane][]reconcile.Request // no lane is empty
	lanes    []lane                       // those of requests, the next one first
	in       map[reconcile.Request]lane
	calls    []reconcile.Request // see turnsQueue.Add
	moved    atomic.Bool         // a request has changed lanes

	mu      sync.Mutex                 // guards what follows: done is called without the work queue's lock
	working map[reconcile.Request]lane // requests that a worker has
	busy    map[lane]int               // of working
}

// spare is how many workers a lane gets of a namespace that has its share without it.
const spare = 2

// newTurns returns a queue without requests, for that many workers. why returns the reason
// of a request. It is called while the work queue is locked.
func newTurns(workers int, why func(reconcile.Request) reason) *turns {
	return &turns{
		workers: workers, reason: why, requests: map[lane][]reconcile.Request{}, in: map[reconcile.Request]lane{},
		working: map[reconcile.Request]lane{}, busy: map[lane]int{},
	}
}

// newQueue returns the work queue of a controller, in which requests take turns.
func newQueue(name string, limiter workqueue.TypedRateLimiter[reconcile.Request], order *turns) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	queue := &turnsQueue{TypedInterface: workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{Name: name, Queue: order}), order: order}
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{DelayingQueue: delaying})
}

// turnsQueue is a work queue that tells its order when a worker is done. That makes room for
// one request at most, which that worker takes next: no other has to be woken.
type turnsQueue struct {
	workqueue.TypedInterface[reconcile.Request]
	order *turns
	calls atomic.Uint64
}

// Add adds r, or says that it was made again. A work queue wakes no worker for a request that is
// there. One that has changed lanes may have a worker now, which its old lane may have lacked, so
// a request of no namespace is added that wakes one.
func (q *turnsQueue) Add(r reconcile.Request) {
	q.TypedInterface.Add(r)
	if q.order.moved.Swap(false) {
		var call reconcile.Request
		call.Name = strconv.FormatUint(q.calls.Add(1), 10)
		q.TypedInterface.Add(call)
	}
}

// Get returns the next request, as that of a work queue does.
func (q *turnsQueue) Get() (r reconcile.Request, shutdown bool) {
	for r, shutdown = q.TypedInterface.Get(); r.Namespace == "" && !shutdown; r, shutdown = q.TypedInterface.Get() {
		q.TypedInterface.Done(r)
	}
	return r, shutdown
}

// Done says that a worker is done with r.
func (q *turnsQueue) Done(r reconcile.Request) {
	q.order.done(r)
	q.TypedInterface.Done(r)
}

// Push adds a request that is not there.
func (t *turns) Push(r reconcile.Request) {
	if r.Namespace == "" {
		t.calls = append(t.calls, r)
		return
	}
	l := lane{r.Namespace, t.reason(r)}
	if len(t.requests[l]) == 0 {
		t.lanes = append(t.lanes, l)
	}
	t.requests[l] = append(t.requests[l], r)
	t.in[r] = l
}

// Touch says that a request that is there was made again. It changes lanes if its reason is
// another one by now.
func (t *turns) Touch(r reconcile.Request) {
	l := t.in[r]
	if l.reason == t.reason(r) {
		return
	}
	rest := slices.DeleteFunc(t.requests[l], func(other reconcile.Request) bool { return other == r })
	if t.requests[l] = rest; len(rest) == 0 {
		delete(t.requests, l)
		t.lanes = slices.DeleteFunc(t.lanes, func(other lane) bool { return other == l })
	}
	t.Push(r)
	t.moved.Store(true)
}

// Len returns how many requests there are, and 0 if none of them may have a worker now.
func (t *turns) Len() int {
	if t.next() < 0 {
		return len(t.calls)
	}
	return len(t.calls) + len(t.in)
}

// next returns which of t.lanes is next, -1 if none may have a worker.
func (t *turns) next() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, idle := -1, t.workers-len(t.working)
	fewest := idle
	for i, l := range t.lanes {
		n, most := t.busy[l], idle
		if t.ofNamespace(l.namespace) >= idle {
			most = spare
		}
		if n < min(fewest, most) {
			next, fewest = i, n
		}
		if fewest == 0 {
			break
		}
	}
	return next
}

// ofNamespace returns how many workers a namespace has, with t.mu held.
func (t *turns) ofNamespace(namespace string) (n int) {
	for why := related; why <= deletion; why++ {
		n += t.busy[lane{namespace, why}]
	}
	return n
}

// Pop removes a request, for a worker, and returns it. Len must not be 0.
func (t *turns) Pop() reconcile.Request {
	if len(t.calls) > 0 {
		r := t.calls[0]
		t.calls = t.calls[1:]
		return r
	}
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

// reasons are why HostedClusters are to be reconciled, as far as events have told. Its zero
// value is ready, and safe for concurrent use.
type reasons struct {
	names sync.Map // of client.ObjectKey to reason, none for related
}

func (s *reasons) of(r reconcile.Request) reason {
	why, _ := s.names.Load(r.NamespacedName)
	known, _ := why.(reason)
	return known
}

// notice returns a predicate that follows the events of HostedClusters, and lets all through.
func (s *reasons) notice() predicate.Predicate {
	note := func(obj client.Object) bool {
		key := client.ObjectKeyFromObject(obj)
		if why := reasonOf(obj); why == related {
			s.names.Delete(key) // there may have been another one of that name
		} else {
			s.names.Store(key, why)
		}
		return true
	}
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return note(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return note(e.ObjectNew) },
		DeleteFunc: func(e event.DeleteEvent) bool {
			s.names.Delete(client.ObjectKeyFromObject(e.Object))
			return true
		},
	}
}

func reasonOf(obj client.Object) reason {
	if !obj.GetDeletionTimestamp().IsZero() {
		return deletion
	}
	hc, ok := obj.(*hyperv1.HostedCluster)
	if !ok {
		return related
	}
	last := apimeta.FindStatusCondition(hc.Status.Conditions, string(hyperv1.ReconciliationSucceeded))
	if last == nil || last.ObservedGeneration < hc.Generation {
		return changed
	}
	return related
}

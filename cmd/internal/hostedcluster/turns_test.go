package hostedcluster

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// testQueue is the work queue, with the reasons of requests.
type testQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	order *turns
	why   map[reconcile.Request]reason
}

func newTestQueue(t *testing.T) *testQueue {
	q := &testQueue{why: map[reconcile.Request]reason{}}
	q.order = newTurns(workers, func(r reconcile.Request) reason { return q.why[r] })
	q.TypedRateLimitingInterface = newQueue("", operator.Backoff(time.Minute), q.order)
	t.Cleanup(q.ShutDown)
	return q
}

// request returns that of "NAMESPACE/NAME".
func request(of string) reconcile.Request {
	namespace, name, _ := strings.Cut(of, "/")
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
}

func (q *testQueue) add(names ...string) {
	for _, name := range names {
		q.Add(request(name))
	}
}

// addFor adds a request with another reason than before.
func (q *testQueue) addFor(why reason, name string) {
	q.why[request(name)] = why
	q.add(name)
}

func (q *testQueue) delete(name string) { q.addFor(deletion, name) }

// want fails unless the next requests are these, and takes and finishes them.
func (q *testQueue) want(t *testing.T, names ...string) {
	t.Helper()
	for i, name := range names {
		if q.Len() == 0 {
			t.Fatalf("request %d: there is none, want %s", i+1, name)
		}
		got, _ := q.Get()
		if q.Done(got); got != request(name) {
			t.Fatalf("request %d: %s, want %s", i+1, got, name)
		}
	}
}

// wantEmpty fails if anything is left, even what no request needs any more.
func (q *testQueue) wantEmpty(t *testing.T) {
	t.Helper()
	if q.Len() > 0 || len(q.order.calls) > 0 || len(q.order.requests) > 0 || len(q.order.lanes) > 0 || len(q.order.working) > 0 || len(q.order.busy) > 0 {
		t.Errorf("%d requests are left, %d lanes, %d turns, %d have a worker, in %d lanes", q.Len(), len(q.order.requests), len(q.order.lanes), len(q.order.working), len(q.order.busy))
	}
}

func TestNamespacesTakeTurns(t *testing.T) {
	q := newTestQueue(t)
	q.add("a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "c/1")
	q.want(t, "a/1", "b/1", "c/1", "a/2", "b/2", "a/3")
	q.add("c/2") // who comes again stands behind those who have waited
	q.want(t, "a/4", "c/2")
	q.wantEmpty(t)
}

// However many requests a tenant has, another one's first is the next but one.
func TestTenantWithManyHoldsUpNobody(t *testing.T) {
	q := newTestQueue(t)
	for i := range 1000 {
		q.add(fmt.Sprint("bad/", i))
	}
	q.want(t, "bad/0")
	q.add("good/new")
	q.want(t, "bad/1", "good/new", "bad/2")
}

// However long the reconciliations of a tenant take, it does not get all workers, nor do
// several tenants. A worker that is done goes on with what is next.
func TestTenantDoesNotGetAllWorkers(t *testing.T) {
	q := newTestQueue(t)
	for i := range 1000 {
		q.add(fmt.Sprint("bad/", i), fmt.Sprint("worse/", i))
	}
	q.delete("bad/0")
	took := map[string]int{}
	var last reconcile.Request
	for q.Len() > 0 {
		last, _ = q.Get()
		took[last.Namespace]++
	}
	// The third lane is that of one deletion.
	if total := took["bad"] + took["worse"]; total >= workers || took["bad"]+1 < workers/4 || took["worse"] < workers/4 {
		t.Errorf("of %d workers they have %v", workers, took)
	}
	q.add("good/1", "good/2")
	q.want(t, "good/1", "good/2")
	q.Done(last)
	if q.Len() == 0 {
		t.Fatal("a worker that is done has nothing to do")
	}
	if next, _ := q.Get(); next.Namespace == "good" || q.Len() > 0 {
		t.Errorf("%s is next, and %d may have a worker", next, q.Len())
	}
}

// A namespace that is alone has half of the workers, and gives back what others want.
func TestNamespaceAlone(t *testing.T) {
	q := newTestQueue(t)
	for i := range 1000 {
		q.add(fmt.Sprint("a/", i))
	}
	var took []reconcile.Request
	for q.Len() > 0 {
		r, _ := q.Get()
		took = append(took, r)
	}
	if len(took) != workers/2 {
		t.Errorf("it has %d of %d workers", len(took), workers)
	}
	q.add("b/1", "b/2")
	first, _ := q.Get()
	second, _ := q.Get()
	if first.Namespace != "b" || second.Namespace != "b" {
		t.Errorf("%s and %s are next", first, second)
	}
	for _, r := range append(took, first, second) {
		q.Done(r)
	}
	for range 1000 - len(took) {
		r, _ := q.Get()
		q.Done(r)
	}
	q.wantEmpty(t)
}

// A namespace has little more than half of the workers, whatever its requests are for.
func TestNamespaceWithAllReasons(t *testing.T) {
	q := newTestQueue(t)
	for i := range 100 {
		q.add(fmt.Sprint("a/related", i))
		q.addFor(changed, fmt.Sprint("a/changed", i))
		q.addFor(deletion, fmt.Sprint("a/deleted", i))
	}
	took := map[string]int{}
	for q.Len() > 0 {
		r, _ := q.Get()
		took[r.Name[:7]]++
	}
	total := 0
	for why, n := range took {
		if total += n; n < spare {
			t.Errorf("%d of %d workers are for what is %s", n, workers, why)
		}
	}
	if total > workers/2+2*spare {
		t.Errorf("it has %d of %d workers: %v", total, workers, took)
	}
}

// A request that changes lanes gets a worker that is idle, although those of its old lane are
// all taken and none of them is done.
func TestMovedRequestWakesWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTestQueue(t)
		t.Cleanup(synctest.Wait)
		t.Cleanup(q.ShutDown)
		for i := range 1000 {
			q.add(fmt.Sprint("a/", i))
		}
		begun := make(chan reconcile.Request, workers)
		for range workers {
			go func() {
				if r, shutdown := q.Get(); !shutdown {
					begun <- r // and is never done
				}
			}()
		}
		synctest.Wait()
		if n := len(begun); n != workers/2 {
			t.Fatalf("%d workers are busy", n)
		}
		for len(begun) > 0 {
			<-begun
		}
		q.addFor(changed, "a/998")
		q.delete("a/999")
		synctest.Wait()
		got := map[reconcile.Request]bool{}
		for len(begun) > 0 {
			got[<-begun] = true
		}
		if len(got) != 2 || !got[request("a/998")] || !got[request("a/999")] {
			t.Errorf("workers got %v", got)
		}
	})
}

func TestDeletionsTakeTurns(t *testing.T) {
	q := newTestQueue(t)
	q.add("a/1", "a/2", "a/3", "a/4")
	q.delete("a/5")
	q.delete("a/3") // leaves the place that it has
	q.delete("a/3")
	q.want(t, "a/1", "a/5", "a/2", "a/3", "a/4")
	q.wantEmpty(t)

	q.add("b/only")
	q.delete("b/only") // nobody else is in its lane
	q.add("b/2")
	q.want(t, "b/only", "b/2")
	q.wantEmpty(t)
}

// Who changes a HostedCluster does not wait for those that are reconciled for another reason.
// Once it was reconciled it waits like all others.
func TestChangesTakeTurns(t *testing.T) {
	q := newTestQueue(t)
	for i := range 1000 {
		q.add(fmt.Sprint("a/", i))
	}
	q.want(t, "a/0")
	q.addFor(changed, "a/500")
	q.addFor(changed, "a/new")
	q.delete("a/gone")
	q.want(t, "a/1", "a/500", "a/gone", "a/2", "a/new", "a/3", "a/4")
	q.addFor(related, "a/new")
	q.want(t, "a/5")
}

// A request that is there is not added again, and one that is worked on comes back when that
// is done.
func TestTurnsWithoutDuplicates(t *testing.T) {
	q := newTestQueue(t)
	q.add("a/1", "a/2", "a/1", "b/1")
	first, _ := q.Get()
	q.add("a/1", "a/1")
	q.want(t, "b/1")
	q.Done(first)
	q.want(t, "a/2", "a/1")
	q.wantEmpty(t)
}

// Events tell which HostedClusters have changed, until they are reconciled, and which are
// being deleted, until they are gone.
func TestReasonsAreNoticed(t *testing.T) {
	var s reasons
	events := s.notice()
	hostedCluster := func(generation, reconciled int64, deleted bool) *hyperv1.HostedCluster {
		hc := &hyperv1.HostedCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "1", Generation: generation}}
		if reconciled > 0 {
			hc.Status.Conditions = []metav1.Condition{{Type: string(hyperv1.ReconciliationSucceeded), Status: metav1.ConditionFalse, ObservedGeneration: reconciled}}
		}
		if deleted {
			hc.DeletionTimestamp = new(metav1.Now())
		}
		return hc
	}
	added := func(hc *hyperv1.HostedCluster) bool { return events.Create(event.CreateEvent{Object: hc}) }
	updated := func(hc *hyperv1.HostedCluster) bool { return events.Update(event.UpdateEvent{ObjectNew: hc}) }
	gone := func(hc *hyperv1.HostedCluster) bool { return events.Delete(event.DeleteEvent{Object: hc}) }
	steps := []struct {
		what  string
		event func(*hyperv1.HostedCluster) bool
		hc    *hyperv1.HostedCluster
		want  reason
	}{
		{"new", added, hostedCluster(1, 0, false), changed},
		{"reconciled, and it failed", updated, hostedCluster(1, 1, false), related},
		{"changed", updated, hostedCluster(2, 1, false), changed},
		{"reconciled", updated, hostedCluster(2, 2, false), related},
		{"deleted", updated, hostedCluster(3, 2, true), deletion},
		{"gone", gone, hostedCluster(3, 2, true), related},
		{"deleted before the start", added, hostedCluster(3, 2, true), deletion},
		{"another one of that name", updated, hostedCluster(1, 0, false), changed},
		{"gone with its namespace", gone, hostedCluster(1, 0, false), related},
		{"reconciled before the start", added, hostedCluster(3, 3, false), related},
	}
	for _, step := range steps {
		if passed, why := step.event(step.hc), s.of(request("a/1")); !passed || why != step.want {
			t.Errorf("%s: passed on %v, reason %d; want true, %d", step.what, passed, why, step.want)
		}
	}
}

package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

func name(namespace string, n int) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: fmt.Sprint(n)}
}

// Lookups that never end hold up no worker, nobody of another namespace and nobody of
// their own who names another host, and few of them are under way at once.
func TestLookupsOfOneTenantHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackground()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = b.Start(ctx); close(ended) }()
		underWay := make(chan struct{}, 1000)
		never := func(ctx context.Context) (found, error) {
			underWay <- struct{}{}
			<-ctx.Done()
			return found{}, ctx.Err()
		}
		began := time.Now()
		for n := range 1000 {
			if _, err := b.get(ctx, name("bad", n), "1", "slow.io", never); !errors.Is(err, errLookupPending) {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 1000*lookupGrace {
			t.Errorf("a thousand took %v", took)
		}
		synctest.Wait()
		if n := len(underWay); n != lookupsPerHost {
			t.Errorf("%d are under way at one host, want %d", n, lookupsPerHost)
		}
		for n := range 1000 { // at a host each
			_, _ = b.get(ctx, name("worse", n), "1", fmt.Sprintf("h%d.io", n), never)
		}
		synctest.Wait()
		if n := len(underWay); n != lookupsPerHost+lookupsPerNamespace {
			t.Errorf("%d are under way, want %d", n, lookupsPerHost+lookupsPerNamespace)
		}
		good := func(context.Context) (found, error) { return found{bundle: "good"}, nil }
		for _, of := range []string{"good", "bad"} {
			if f, err := b.get(ctx, name(of, 5000), "1", "quick.io", good); err != nil || f.bundle != "good" {
				t.Errorf("%s: %v", of, err)
			}
		}
		stop()
		<-ended
	})
}

// What was looked up brings its HostedCluster back and is handed out once. A lookup of
// something else takes the place of one that is under way, which ends.
func TestLookupComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackground()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = b.Start(ctx); close(ended) }()
		var canceled error
		slow := func(bundle string) lookupFunc {
			return func(ctx context.Context) (found, error) {
				select {
				case <-ctx.Done():
					canceled = ctx.Err()
					return found{}, ctx.Err()
				case <-time.After(time.Second):
					return found{bundle: bundle}, nil
				}
			}
		}
		one := name("a", 1)
		none := func(context.Context) (found, error) { t.Error("looked up again"); return found{}, nil }
		if _, err := b.get(ctx, one, "1", "a.io", slow("old")); !errors.Is(err, errLookupPending) {
			t.Fatal(err)
		}
		if _, err := b.get(ctx, one, "2", "a.io", slow("new")); !errors.Is(err, errLookupPending) {
			t.Fatal(err)
		}
		if _, err := b.get(ctx, one, "2", "a.io", none); !errors.Is(err, errLookupPending) || !b.has(one) {
			t.Fatal(err)
		}
		woken := <-b.wake
		if got := client.ObjectKeyFromObject(woken.Object); got != one || canceled == nil {
			t.Errorf("%s came back; the old lookup ended with %v", got, canceled)
		}
		if f, err := b.get(ctx, one, "2", "a.io", none); err != nil || f.bundle != "new" || b.has(one) {
			t.Errorf("found %q, %v", f.bundle, err)
		}
		if _, err := b.get(ctx, one, "3", "a.io", slow("")); !errors.Is(err, errLookupPending) {
			t.Fatal(err)
		}
		canceled = nil
		b.forget(one)
		synctest.Wait()
		if canceled == nil || b.has(one) || len(b.hosts.of)+len(b.namespaces.of) != 0 {
			t.Errorf("after it was forgotten: %v, %v", canceled, b.hosts.of)
		}
		select {
		case <-b.wake:
			t.Error("one that was forgotten came back")
		default:
		}
		stop()
		<-ended
	})
}

// The waits after failures grow although each lookup begins with a reconciliation that
// does not fail.
func TestWaitsGrow(t *testing.T) {
	pending := true
	l := lookupLimiter{operator.Backoff(time.Minute),
		func(client.ObjectKey) bool { return pending }}
	item := reconcile.Request{NamespacedName: name("a", 1)}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if got := l.When(item); got < want || got > want+want/5+1 {
			t.Errorf("waits %v, want %v and up to a fifth more", got, want)
		}
		l.Forget(item)
	}
	pending = false
	l.Forget(item)
	waits := map[time.Duration]bool{}
	for range 100 {
		got := l.When(item)
		l.Forget(item)
		if waits[got] = true; got > 6*time.Second/5+1 {
			t.Errorf("after a success waits %v", got)
		}
	}
	if len(waits) < 10 {
		t.Errorf("a hundred waits are of %d lengths", len(waits))
	}
}

// Workers that still run while the lookups end start none, and wait for none.
func TestLookupAtTheEnd(t *testing.T) {
	for range 100 {
		b := newBackground()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { _ = b.Start(ctx); close(ended) }()
		var running atomic.Int64
		var workers sync.WaitGroup
		for n := range 4 {
			workers.Go(func() {
				_, _ = b.get(t.Context(), name("a", n), "1", "a.io", func(context.Context) (found, error) {
					running.Add(1)
					defer running.Add(-1)
					return found{}, nil
				})
			})
		}
		stop()
		<-ended
		if n := running.Load(); n != 0 {
			t.Fatalf("%d lookups run when Start has returned", n)
		}
		workers.Wait()
		if _, err := b.get(t.Context(), name("b", 0), "1", "a.io", func(context.Context) (found, error) {
			t.Error("a lookup started after the end")
			return found{}, nil
		}); !errors.Is(err, context.Canceled) {
			t.Fatalf("after the end: %v", err)
		}
	}
}

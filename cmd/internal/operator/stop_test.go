package operator

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mirrorchain/mirrorchain/sources"
)

// An operator that is stopped while there is much to do ends when what it was doing
// ends: nothing waits for the grace period, at whose end Start fails.
func TestStopWhileBusy(t *testing.T) {
	for range 20 {
		stopWhileBusy(t)
	}
}

func stopWhileBusy(t *testing.T) {
	t.Helper()
	resolver, err := sources.NewResolver(t.Context(), sources.ResolverConfig{})
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := NewManager(Config{
		Name: "busy", REST: &rest.Config{Host: "127.0.0.1:1"}, Scheme: scheme, Resolver: resolver, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	const workers = 20
	events := make(chan event.GenericEvent)
	var begun sync.WaitGroup
	begun.Add(10 * workers)
	var mu sync.Mutex
	remaining := 10 * workers
	err = builder.ControllerManagedBy(mgr).Named("busy").
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		WatchesRawSource(source.Channel(events, &handler.EnqueueRequestForObject{})).
		Complete(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			if remaining > 0 {
				remaining--
				begun.Done()
			}
			return reconcile.Result{RequeueAfter: 1}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	for n := range 5 * workers {
		events <- event.GenericEvent{Object: &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(n)}}}
	}
	begun.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

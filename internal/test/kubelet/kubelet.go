package kubelet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

// Kubelet runs the Deployments of a cluster. Its methods may be called from several
// goroutines.
type Kubelet struct {
	subs        Substitutions
	dir         string
	conn        *rest.Config
	clients     kubernetes.Interface
	deployments appslisters.DeploymentLister
	objects     reader
	poke        chan struct{}

	mu       sync.Mutex
	pods     map[types.NamespacedName]*pod
	started  map[types.NamespacedName]int   // pods so far
	waiting  map[types.NamespacedName]error // why there is no pod yet
	failures []string
	logs     []string // files
}

// Run runs what Deployments there are and will be, until the test has ended. A
// process that ends by itself, or not well when it is asked to, fails the test.
func Run(t testing.TB, c *cluster.Cluster, subs Substitutions) *Kubelet {
	t.Helper()
	clients, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	k := &Kubelet{
		subs: subs, dir: t.TempDir(), conn: c.Config(), clients: clients, poke: make(chan struct{}, 1),
		pods: map[types.NamespacedName]*pod{}, started: map[types.NamespacedName]int{}, waiting: map[types.NamespacedName]error{},
	}
	factory := informers.NewSharedInformerFactory(clients, 0)
	k.deployments = factory.Apps().V1().Deployments().Lister()
	secrets, configMaps := factory.Core().V1().Secrets().Lister(), factory.Core().V1().ConfigMaps().Lister()
	k.objects = reader{
		secret:    func(ns, name string) (*corev1.Secret, error) { return secrets.Secrets(ns).Get(name) },
		configMap: func(ns, name string) (*corev1.ConfigMap, error) { return configMaps.ConfigMaps(ns).Get(name) },
	}
	changed := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { k.wake() },
		UpdateFunc: func(any, any) { k.wake() },
		DeleteFunc: func(any) { k.wake() },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Apps().V1().Deployments().Informer(), factory.Core().V1().Secrets().Informer(), factory.Core().V1().ConfigMaps().Informer(),
	} {
		if _, err := informer.AddEventHandler(changed); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-ended
		factory.Shutdown()
		k.report(t)
	})
	factory.Start(ctx.Done())
	go func() {
		defer close(ended)
		factory.WaitForCacheSync(ctx.Done())
		k.run(ctx)
	}()
	return k
}

// wake makes the kubelet look at everything.
func (k *Kubelet) wake() {
	select {
	case k.poke <- struct{}{}:
	default: // it will be anyway
	}
}

// retryInterval is how long something waits that cannot be done yet.
const retryInterval = 100 * time.Millisecond

func (k *Kubelet) run(ctx context.Context) {
	ticker := time.NewTicker(retryInterval)
	defer ticker.Stop()
	for {
		waits := k.all(ctx)
		var tick <-chan time.Time
		if waits {
			tick = ticker.C
		}
		select {
		case <-k.poke:
		case <-tick:
		case <-ctx.Done():
			for key := range k.running() {
				k.stop(key)
			}
			return
		}
	}
}

// all brings every Deployment's process up to date, and reports whether something
// has to wait.
func (k *Kubelet) all(ctx context.Context) (waits bool) {
	list, err := k.deployments.List(labels.Everything())
	if err != nil {
		return true
	}
	here := map[types.NamespacedName]bool{}
	for _, d := range list {
		key := types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
		if r := d.Spec.Replicas; r != nil && *r == 0 {
			continue
		}
		here[key] = true
		err := k.one(ctx, key, d)
		k.mu.Lock()
		if k.waiting[key] = err; err == nil {
			delete(k.waiting, key)
		}
		k.mu.Unlock()
		waits = waits || err != nil
	}
	for key := range k.running() {
		if !here[key] {
			k.stop(key)
		}
	}
	return waits
}

func (k *Kubelet) running() map[types.NamespacedName]*pod {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.pods)
}

func (k *Kubelet) one(ctx context.Context, key types.NamespacedName, d *appsv1.Deployment) error {
	text, err := json.Marshal(d.Spec.Template)
	if err != nil {
		return err
	}
	p := k.running()[key]
	if p != nil && p.template != string(text) {
		k.stop(key)
		p = nil
	}
	if p != nil {
		if p.ended() {
			if k.crashed(p); time.Since(p.launched) < backOff {
				return errors.New("it has ended and is to be started again")
			}
			return k.launch(p)
		}
		return p.refresh(k.objects)
	}
	if p, err = k.newPod(ctx, d, string(text)); err != nil {
		return err
	}
	if err := k.launch(p); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pods[key] = p
	k.started[key]++
	return nil
}

// backOff is the least time from one start of a process that ends to the next.
const backOff = time.Second

// crashed notes that a pod's process has ended by itself, once. One that lost the race
// for a free port is not to blame.
func (k *Kubelet) crashed(p *pod) {
	if p.reported {
		return
	}
	p.reported = true
	tail := p.process.Tail()
	if strings.Contains(tail, "address already in use") {
		return
	}
	k.fail(fmt.Sprintf("%s ended with exit code %d; %s", p.name, p.process.ExitCode(), tail))
}

func (k *Kubelet) fail(what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failures = append(k.failures, what)
}

// grace is how long a process may take to end. A real one has less.
const grace = 30 * time.Second

// stop ends a pod as its deletion does.
func (k *Kubelet) stop(key types.NamespacedName) {
	k.mu.Lock()
	p := k.pods[key]
	delete(k.pods, key)
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	defer func() {
		now := int64(0)
		err := k.clients.CoreV1().Pods(p.namespace).Delete(ctx, p.name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		if err != nil && !apierrors.IsNotFound(err) {
			k.fail(fmt.Sprintf("%s: %v", p.name, err))
		}
	}()
	if p.ended() {
		k.crashed(p)
		return
	}
	if err := p.process.Terminate(ctx); err != nil {
		k.fail(fmt.Sprintf("%s: %v; %s", p.name, err, p.process.Tail()))
	} else if code := p.process.ExitCode(); code != 0 {
		k.fail(fmt.Sprintf("%s ended with exit code %d when it was asked to; %s", p.name, code, p.process.Tail()))
	}
}

func (k *Kubelet) report(t testing.TB) {
	for _, f := range k.failures {
		t.Error(f)
	}
	if !t.Failed() {
		return
	}
	for _, key := range slices.SortedFunc(maps.Keys(k.waiting), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		t.Logf("%s waits: %v", key, k.waiting[key])
	}
	for _, f := range k.logs {
		t.Log(process.Tail(strings.TrimSuffix(filepath.Base(f), ".log"), f))
	}
}

// Started returns how many pods a Deployment has had: 1, and 1 more for each change of
// its template.
func (k *Kubelet) Started(namespace, deployment string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.started[types.NamespacedName{Namespace: namespace, Name: deployment}]
}

// Logs returns the files that the processes wrote to, also those of processes that have
// ended.
func (k *Kubelet) Logs() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.logs)
}

// Ready waits until a Deployment is rolled out: its process is that of the template
// as it is now, and says that it is ready.
func (k *Kubelet) Ready(t testing.TB, namespace, deployment string) *Pod {
	t.Helper()
	key := types.NamespacedName{Namespace: namespace, Name: deployment}
	var found *Pod
	cluster.Await(t, "Deployment "+key.String()+" to be ready", func(ctx context.Context) error {
		d, err := k.clients.AppsV1().Deployments(namespace).Get(ctx, deployment, metav1.GetOptions{})
		if err != nil {
			return err
		}
		text, err := json.Marshal(d.Spec.Template)
		if err != nil {
			return err
		}
		k.mu.Lock()
		p, why, failures := k.pods[key], k.waiting[key], len(k.failures)
		k.mu.Unlock()
		if failures > 0 {
			t.Fatalf("Deployment %s is not waited for: a process has ended", key)
		}
		if why != nil {
			return why
		}
		if p == nil || p.template != string(text) {
			return errors.New("its process is not started yet")
		}
		found = &Pod{Name: p.name, ports: p.addresses()}
		return p.ready(ctx)
	})
	return found
}

// Pod is a process as it was when it was asked for.
type Pod struct {
	// Name of the pod.
	Name  string
	ports map[int32]string
}

// Address returns where the process listens in place of a port of its container:
// "127.0.0.1:PORT", or "" if the container states no such port.
func (p *Pod) Address(port int32) string { return p.ports[port] }

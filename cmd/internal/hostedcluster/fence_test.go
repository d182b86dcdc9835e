//go:build unix

package hostedcluster

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// testLease is how long a lease lasts here: long enough that a busy machine takes nobody's
// away by itself.
const testLease = 15 * time.Second

// A replica is frozen (SIGSTOP) while its writes are under way: rules for control planes
// that are there, and a control plane that is being made. The other one takes over and
// hands newer rules over. Then what was under way arrives, and the first wakes: no
// Deployment gets the old rules again, not for a moment, and the first writes nothing more
// and ends.
func TestFrozenReplica(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy, w.pullSecret(w.auth(password)))
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	edit := func(mirror string) (want string) {
		change(t, w, policy, func(p *unstructured.Unstructured) {
			p.Object["spec"] = w.idms("", mirror, w.mirror.Host()+"/mirror/release").Object["spec"]
		})
		return source + "=" + mirror + "," + first
	}
	gate := newGate(t, w)
	replica := w.startReplica(t, gate.config(t))
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: Owner}}
	cluster.Await(t, "the first replica to have the lease", func(ctx context.Context) error { return w.Get(ctx, keyOf(lease), lease) })
	const known = 3
	for n := range known {
		w.create(t, w.hostedCluster(fmt.Sprintf("c%d", n)))
	}
	cluster.Await(t, "the control planes", func(ctx context.Context) error { return w.allHave(ctx, known, first) })
	w.operate(t, func(o *Options) {
		o.Log, o.LeaseNamespace, o.LeaseDuration = nil, operatorNamespace, testLease
	})

	gate.hold()
	w.create(t, w.hostedCluster("new"))
	gate.awaitHeld(t, 1)
	edit("old.example.com/r")
	gate.awaitHeld(t, known+1)
	if err := syscall.Kill(replica.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	history := w.watchDeployments(t)
	newest := edit("new.example.com/r")
	cluster.Await(t, "the other replica to hand over", func(ctx context.Context) error { return w.allHave(ctx, known+1, newest) })
	w.quiet(t)

	gate.release()
	for _, code := range gate.answers(t, known+1) {
		if code != http.StatusConflict {
			t.Errorf("a write that was under way was answered with %d", code)
		}
	}
	before := gate.count()
	if err := syscall.Kill(replica.Pid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, "the first replica to end", func(context.Context) error {
		select {
		case <-replica.Done():
			return nil
		default:
			return errors.New("it runs")
		}
	})
	if replica.ExitCode() != 1 {
		t.Errorf("it ended with %d\n%s", replica.ExitCode(), replica.Tail())
	}
	if n := gate.count() - before; n != 0 {
		t.Errorf("it wrote %d times after it woke", n)
	}
	// A change that shows, to know that the history is complete.
	last := edit("last.example.com/r")
	for namespace, seen := range history.after(t, known+1, newest, last) {
		for _, rules := range seen {
			if rules != newest && rules != last {
				t.Errorf("%s got old rules again: %q", namespace, seen)
			}
		}
	}
}

// What was not there is created and nothing else, and what was there is not created again,
// however late the write arrives.
func TestLateApply(t *testing.T) {
	w := newWorld(t)
	late := new(lateReader)
	a := operator.Applier{Client: readingFrom{w.WithWatch, late}, Owner: Owner}
	obj := func(value string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "one"}, Data: map[string]string{"of": value}}
	}
	apply := func(value string) error {
		_, err := a.Apply(t.Context(), obj(value))
		return err
	}
	if err := apply("first"); err != nil {
		t.Fatal(err)
	}
	if err := apply("late"); !apierrors.IsConflict(err) {
		t.Errorf("what was created meanwhile is replaced: %v", err)
	}
	live := obj("")
	w.get(t, live)
	if live.Data["of"] != "first" {
		t.Errorf("it is %q", live.Data)
	}
	late.there = live.DeepCopy()
	if err := apply("second"); err != nil {
		t.Fatal(err)
	}
	if err := apply("late"); !apierrors.IsConflict(err) {
		t.Errorf("what was written meanwhile is replaced: %v", err)
	}
	w.get(t, live)
	late.there = live.DeepCopy()
	if err := w.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if err := apply("late"); !apierrors.IsConflict(err) {
		t.Errorf("what was deleted meanwhile is made again: %v", err)
	}
	if err := w.Get(t.Context(), keyOf(live), live); !apierrors.IsNotFound(err) {
		t.Errorf("it is there: %v, %v", live.Data, err)
	}
}

// lateReader has one object, as it was once; nil is none.
type lateReader struct{ there *corev1.ConfigMap }

func (r *lateReader) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	if r.there == nil {
		return apierrors.NewNotFound(corev1.Resource("configmaps"), key.Name)
	}
	r.there.DeepCopyInto(obj.(*corev1.ConfigMap))
	return nil
}

// readingFrom is a client that reads from elsewhere.
type readingFrom struct {
	client.Client
	from *lateReader
}

func (c readingFrom) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	return c.from.Get(ctx, key, obj, opts...)
}

// Variables of a test process that is a replica of the operator.
const (
	envReplica = "MIRRORCHAIN_TEST_REPLICA" // its kubeconfig
	envMirror  = "MIRRORCHAIN_TEST_MIRROR"  // a certificate that it trusts
)

func TestMain(m *testing.M) {
	if kubeconfig := os.Getenv(envReplica); kubeconfig != "" {
		if err := runReplica(kubeconfig); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runReplica runs the operator, in a process of its own.
func runReplica(kubeconfig string) error {
	log, err := operator.NewLogger(os.Stderr, "info")
	if err != nil {
		return err
	}
	operator.SetProcessLogger(log)
	conn, err := operator.RESTConfig(kubeconfig, Owner)
	if err != nil {
		return err
	}
	return Run(context.Background(), Options{
		Settings:       Settings{OperatorImage: ownImage},
		Process:        operator.Process{Log: log, REST: conn, Registry: registry.Config{TLS: trust.Registries([]string{os.Getenv(envMirror)}, nil, log)}},
		LeaseNamespace: operatorNamespace, LeaseDuration: testLease,
	})
}

// startReplica starts the operator as a process that can be frozen.
func (w *world) startReplica(t *testing.T, conn *rest.Config) *process.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(bundle, w.mirror.CA().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(process.Config{
		Path: self, Log: filepath.Join(t.TempDir(), "log"),
		Env: append(os.Environ(), envReplica+"="+w.Kubeconfig(t, conn), envMirror+"="+bundle),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(p.Tail())
		}
	})
	return p
}

// gate is the way of a replica to the API server. It can hold writes of Deployments, as a
// slow network does, and counts what changes anything.
type gate struct {
	*httptest.Server
	world *world

	mu      sync.Mutex
	closed  chan struct{} // nil: open
	stopped int
	codes   []int // answers to what was held
	written int   // but for leases and events
}

func newGate(t *testing.T, w *world) *gate {
	t.Helper()
	transport, err := rest.TransportFor(w.Config())
	if err != nil {
		t.Fatal(err)
	}
	api := &url.URL{Scheme: "https", Host: w.Config().Host}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }, Transport: transport, FlushInterval: -1,
		ErrorLog: log.New(io.Discard, "", 0), // the replica ends
	}
	g := &gate{world: w}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { g.serve(proxy, rw, r) }))
	t.Cleanup(func() {
		g.release()
		g.CloseClientConnections()
		g.Close()
	})
	return g
}

func (g *gate) serve(next http.Handler, rw http.ResponseWriter, r *http.Request) {
	what, _ := object(r)
	g.mu.Lock()
	closed := g.closed
	if what != "PATCH deployments" {
		closed = nil
	}
	if closed != nil {
		g.stopped++
	}
	if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "/leases") && !strings.Contains(r.URL.Path, "/events") {
		g.written++
	}
	g.mu.Unlock()
	if closed == nil {
		next.ServeHTTP(rw, r)
		return
	}
	body, err := io.ReadAll(r.Body) // which has been sent
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	<-closed
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.codes = append(g.codes, answer.Code)
}

// config connects through g as the operator does.
func (g *gate) config(t *testing.T) *rest.Config {
	t.Helper()
	cfg := g.world.account()
	cfg.Host = g.Listener.Addr().String()
	cfg.CAFile = filepath.Join(t.TempDir(), "ca.crt")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
	if err := os.WriteFile(cfg.CAFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = make(chan struct{})
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.written
}

// awaitHeld waits until that many writes are held.
func (g *gate) awaitHeld(t *testing.T, want int) {
	t.Helper()
	cluster.Await(t, "writes that are held", func(context.Context) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.stopped != want {
			return fmt.Errorf("%d of %d", g.stopped, want)
		}
		return nil
	})
}

// answers returns the answers to that many writes which were held.
func (g *gate) answers(t *testing.T, want int) (codes []int) {
	t.Helper()
	cluster.Await(t, "answers", func(context.Context) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if codes = slices.Clone(g.codes); len(codes) != want {
			return fmt.Errorf("%d of %d", len(codes), want)
		}
		return nil
	})
	return codes
}

// history is what the Deployments said, by namespace.
type history struct {
	mu   sync.Mutex
	seen map[string][]string
}

// watchDeployments records every version that there is from now on.
func (w *world) watchDeployments(t *testing.T) *history {
	t.Helper()
	c, err := client.NewWithWatch(w.Config(), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := c.Watch(t.Context(), new(appsv1.DeploymentList))
	if err != nil {
		t.Fatal(err)
	}
	h := &history{seen: map[string][]string{}}
	var ended sync.WaitGroup
	ended.Go(func() {
		for e := range watcher.ResultChan() {
			if d, ok := e.Object.(*appsv1.Deployment); ok {
				h.mu.Lock()
				h.seen[d.Namespace] = append(h.seen[d.Namespace], envOf(d, "OPENSHIFT_IMG_OVERRIDES"))
				h.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() { watcher.Stop(); ended.Wait() })
	return h
}

// after returns what the Deployments said after they said first, by namespace, once all of
// want have said last.
func (h *history) after(t *testing.T, want int, first, last string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	cluster.Await(t, "the history of all", func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		for ns, seen := range h.seen {
			if from := slices.Index(seen, first); from >= 0 && slices.Contains(seen, last) {
				out[ns] = slices.Clone(seen[from:])
			}
		}
		if len(out) != want {
			return fmt.Errorf("%d of %d", len(out), want)
		}
		return nil
	})
	return out
}

package hostedcluster

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/heap"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// What a fleet writes and asks for, at its smallest size (docs/benchmarks.md, P11). Each
// HostedCluster has Secrets of its own, and a pull secret that nobody else has.
func TestFleetCounts(t *testing.T) {
	const n = 100
	const few = n / 10 // what is written in two steps now and then, such as a condition
	// Each pull secret proves once that it may read the release. The first ones may each ask
	// for the architecture, with manifest and config, before one of them knows it.
	const proofs, architectures = n, 2 * workers
	f := startFleet(t, n)
	f.begin(t)
	f.expect(t, "start", n, 10*n+few, proofs+1+architectures)
	f.edit(t)
	f.expect(t, "edit", n, n+few, 0)
	// A reconciliation reads the pull secret, the SSH key and their copies, and comes back
	// where a lookup takes longer than a moment. A second one would be as much again.
	if counts, _, _ := f.api.state(); counts["GET secrets"] > 6*n {
		t.Errorf("%d Secrets were read after one edit", counts["GET secrets"])
	}
	f.update(t)
	f.expect(t, "update", n/10, 4*n/10+few, n/10+1+architectures)
	f.restart(t)
	f.expect(t, "restart", n, n+few, proofs+2)
	f.failOver(t)
	f.expect(t, "failover", n, n+few, proofs+2)
}

// largeFleets has BenchmarkFleet take more than minutes.
var largeFleets = flag.Bool("large-fleets", false, "benchmark fleets of 1,600 and 5,000 HostedClusters, too")

// How long a fleet takes (docs/benchmarks.md, P11): from the start until all are
// reconciled, and from an edit of the policies, a new release for a tenth, a restart and a
// failover, each with an edit, until all Deployments have what they should. A second
// figure is of the heap that each further HostedCluster takes.
func BenchmarkFleet(b *testing.B) {
	sizes := []int{100, 400}
	if *largeFleets {
		sizes = append(sizes, 1600, 5000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("clusters=%d", n), func(b *testing.B) {
			for b.Loop() {
				f := startFleet(b, n)
				idle := heap.InUse()
				f.begin(b)
				b.ReportMetric(float64(heap.InUse()-idle)/float64(n), "heap-bytes/cluster")
				f.edit(b)
				f.update(b)
				f.restart(b)
				f.failOver(b)
				for phase, took := range f.took {
					b.ReportMetric(float64(took)/float64(n), phase+"-ns/cluster")
				}
			}
		})
	}
}

// testFleet is a management cluster with many HostedClusters. What a method does is a phase:
// took has how long that took until the last write, and api and asked what it cost.
type testFleet struct {
	*world
	n      int
	policy *unstructured.Unstructured
	target string // the release that a tenth is updated to
	edits  int

	api  *apiTraffic
	stop func()
	took map[string]time.Duration
}

// startFleet creates the HostedClusters, of which no operator knows yet.
func startFleet(tb testing.TB, n int) *testFleet {
	tb.Helper()
	w := newWorld(tb)
	w.Install(tb, cluster.OpenShiftCRD(tb, idmsCRD))
	f := &testFleet{world: w, n: n, policy: w.idms("releases", w.mirror.Host()+"/mirror/release"), api: new(apiTraffic), took: map[string]time.Duration{}}
	next := testpayload.Must(testpayload.Release{Version: "4.17.9", Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image())
	f.target = fmt.Sprint(source, "@", w.mirror.Push("mirror/release", "4.17.9", next))
	users := make([]testregistry.User, n)
	for i := range users {
		users[i] = testregistry.User{Name: fmt.Sprint("tenant-", i), Password: fmt.Sprint("secret-", i)}
	}
	w.mirror.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: users})
	w.create(tb, f.policy)
	f.each(tb, n, func(i int) error {
		hc := f.cluster(i)
		auth := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%s", users[i].Name, users[i].Password))
		secret := w.pullSecret(fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, w.mirror.Host(), auth))
		secret.Name = hc.Spec.PullSecret.Name
		key := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: hc.Namespace, Name: hc.Spec.SSHKey.Name}, Data: map[string][]byte{"id_rsa.pub": []byte("ssh")}}
		return errors.Join(w.Create(tb.Context(), secret), w.Create(tb.Context(), key), w.Create(tb.Context(), hc))
	})
	return f
}

func (f *testFleet) cluster(i int) *hyperv1.HostedCluster {
	hc := f.hostedCluster(fmt.Sprintf("c%04d", i))
	hc.Spec.PullSecret.Name, hc.Spec.SSHKey.Name = "pull-"+hc.Name, "key-"+hc.Name
	return hc
}

// each calls do for each of n, many at once.
func (w *world) each(tb testing.TB, n int, do func(i int) error) {
	tb.Helper()
	var group errgroup.Group
	group.SetLimit(20)
	for i := range n {
		group.Go(func() error { return do(i) })
	}
	if err := group.Wait(); err != nil {
		tb.Fatal(err)
	}
}

func (f *testFleet) operateFleet(tb testing.TB) (stop func()) {
	return f.operate(tb, func(o *Options) {
		o.Log, o.LeaseNamespace = nil, operatorNamespace
		o.REST.Wrap(f.api.wrap)
	})
}

// begin starts the operator.
func (f *testFleet) begin(tb testing.TB) {
	tb.Helper()
	f.phase(tb, "start", f.n, func() { f.stop = f.operateFleet(tb) })
}

// edit changes the policies.
func (f *testFleet) edit(tb testing.TB) {
	tb.Helper()
	f.phase(tb, "edit", f.n, func() { f.editPolicy(tb) })
}

// update gives a tenth another release.
func (f *testFleet) update(tb testing.TB) {
	tb.Helper()
	f.phase(tb, "update", f.n/10, func() {
		f.each(tb, f.n/10, func(i int) error {
			patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"release":{"image":%q}}}`, f.target))
			return f.Patch(tb.Context(), f.cluster(i*10), patch)
		})
	})
}

// restart stops the operator and starts it when the policies have changed.
func (f *testFleet) restart(tb testing.TB) {
	tb.Helper()
	f.stop()
	f.editPolicy(tb)
	f.phase(tb, "restart", f.n, func() { f.stop = f.operateFleet(tb) })
}

// failOver stops the active one of two replicas when the policies change.
func (f *testFleet) failOver(tb testing.TB) {
	tb.Helper()
	f.operateFleet(tb)
	f.phase(tb, "failover", f.n, func() {
		f.stop()
		f.editPolicy(tb)
	})
}

func (f *testFleet) editPolicy(tb testing.TB) {
	tb.Helper()
	f.edits++
	mirror := fmt.Sprintf("m%d.example.com/r", f.edits)
	change(tb, f.world, f.policy, func(p *unstructured.Unstructured) {
		p.Object["spec"] = f.idms("", mirror, f.mirror.Host()+"/mirror/release").Object["spec"]
	})
}

// phase does something that has that many Deployments written, and waits until that is so
// and nothing more is read or written.
func (f *testFleet) phase(tb testing.TB, name string, deployments int, do func()) {
	tb.Helper()
	f.api.reset()
	f.mirror.ResetLog()
	began := time.Now()
	do()
	limit := time.NewTimer(cluster.Patience + time.Duration(f.n)*100*time.Millisecond)
	defer limit.Stop()
	for {
		writes, last, written := f.api.state()
		// Whoever read and wrote nothing for a while is done: a reconciliation that fails comes
		// back after a second. Rules are handed over before all are reconciled, which writes
		// nothing then, and would be in the time of the next phase.
		if written >= deployments && f.api.idle() > 3*time.Second {
			f.took[name] = last.Sub(began)
			tb.Logf("%d HostedClusters, %s: %v, %d requests to the API server's objects: %v; %d to the registry",
				f.n, name, f.took[name].Round(time.Millisecond), sum(writes), writes, f.mirror.Count())
			break
		}
		select {
		case <-limit.C:
			tb.Fatalf("%s: %d of %d Deployments were written", name, written, deployments)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if rules := f.overrides(); name != "update" {
		if err := f.allHave(tb.Context(), f.n, rules); err != nil {
			tb.Errorf("%s: %v have %s", name, err, rules)
		}
	}
	f.quiet(tb)
}

func (f *testFleet) overrides() string {
	mirrors := source + "=" + f.mirror.Host() + "/mirror/release"
	if f.edits > 0 {
		mirrors = fmt.Sprintf("%s=m%d.example.com/r,%s", source, f.edits, mirrors)
	}
	return mirrors
}

// expect fails unless the last phase wrote that many Deployments, and if it made more writes,
// or more requests to the registry.
func (f *testFleet) expect(t *testing.T, phase string, deployments, writes, registry int) {
	t.Helper()
	counts, _, _ := f.api.state()
	if n := counts["PATCH deployments"]; n != deployments {
		t.Errorf("%s: Deployments were written %d times, want %d", phase, n, deployments)
	}
	got := 0
	for what, n := range counts {
		if !strings.HasPrefix(what, "GET ") {
			got += n
		}
	}
	if asked := f.mirror.Count(); got > writes || asked > registry {
		t.Errorf("%s: %d writes and %d requests to the registry, want %d and %d at most", phase, got, asked, writes, registry)
	}
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// apiTraffic counts requests to the API server for single objects, but for leases and events.
// Its zero value is ready.
type apiTraffic struct {
	mu      sync.Mutex
	count   map[string]int // "PATCH deployments"
	asked   time.Time      // when the last request was answered
	last    time.Time      // when the last write was
	written map[string]bool
}

func (a *apiTraffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		what, namespace := objectOf(req)
		if what == "" {
			return next.RoundTrip(req)
		}
		resp, err := next.RoundTrip(req)
		a.mu.Lock()
		defer a.mu.Unlock()
		if req.Method != http.MethodGet && err == nil && resp.StatusCode == http.StatusConflict {
			return resp, err // it wrote nothing: the cache was behind, and it comes again
		}
		a.count[what]++
		if a.asked = time.Now(); req.Method != http.MethodGet {
			a.last = a.asked
		}
		if what == "PATCH deployments" && err == nil && resp.StatusCode < 300 {
			a.written[namespace] = true
		}
		return resp, err
	})
}

// objectOf returns "PATCH deployments" and the namespace for a request that is about one
// object. For lists, leases and events it returns "".
func objectOf(req *http.Request) (what, namespace string) {
	_, rest, ok := strings.Cut(req.URL.Path, "/v1")
	if !ok || req.URL.Query().Has("watch") {
		return "", ""
	}
	parts := strings.Split(strings.Trim(strings.TrimPrefix(rest, "beta1"), "/"), "/")
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	if strings.HasPrefix(rest, "alpha1") || parts[0] == "leases" || parts[0] == "events" || len(parts) < 2 && req.Method == http.MethodGet {
		return "", ""
	}
	return req.Method + " " + parts[0], namespace
}

func (a *apiTraffic) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count, a.written, a.last = map[string]int{}, map[string]bool{}, time.Now()
	a.asked = a.last
}

// idle returns how long ago the last request was answered.
func (a *apiTraffic) idle() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.asked)
}

// state returns the counts, when the last write was, and how many Deployments were written.
func (a *apiTraffic) state() (counts map[string]int, last time.Time, deployments int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.count), a.last, len(a.written)
}

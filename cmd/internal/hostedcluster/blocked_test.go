package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// Twice as many HostedClusters as there are workers name a registry that holds every
// request for as long as it can. New rules reach a control plane beside them all the
// same: they wait for no worker.
func TestRulesPassBusyWorkers(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy, w.pullSecret(w.auth(password)))
	silent := newSilent(t)
	w.operate(t, func(o *Options) { o.Log, o.Registry.Dial = nil, silent.or(w.onlyMirror) })
	good := w.hostedCluster("good")
	w.create(t, good)
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	w.cpo(t, good, overridesAre(first))

	for n := range 2 * workers {
		hc := w.hostedCluster(fmt.Sprintf("bad%02d", n))
		hc.Spec.Release.Image = fmt.Sprintf("t%02d.%s/x/y@sha256:%064x", n, silentDomain, n+1)
		w.create(t, hc)
	}
	silent.await(t, workers)
	silent.mu.Lock()
	ended := silent.ended // later on, new rules have every release looked up again
	silent.mu.Unlock()
	if ended {
		t.Fatal("a lookup was given up by itself: the rest would show nothing")
	}
	change(t, w, policy, func(p *unstructured.Unstructured) {
		p.Object["spec"] = w.idms("", "z.example.com/r", w.mirror.Host()+"/mirror/release").Object["spec"]
	})
	w.cpo(t, good, overridesAre(source+"=z.example.com/r,"+first))
}

// A tenant has far more HostedClusters than there are workers at one registry that never
// answers. Another tenant's new HostedCluster is served and a deletion begins all the same.
// How many of them ask at once, TestLookupsOfOneTenantHoldUpNobody counts.
func TestSilentRegistryHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy, w.pullSecret(w.auth(password)), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bad"}})
	secret := w.pullSecret(w.auth(password))
	secret.Namespace = "bad"
	gone := w.hostedCluster("gone")
	w.create(t, secret, gone)
	silent := newSilent(t)
	w.operate(t, func(o *Options) { o.Log, o.Registry.Dial = nil, silent.or(w.onlyMirror) })
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	w.cpo(t, gone, overridesAre(first))
	for n := range 5 * workers {
		hc := w.hostedCluster(fmt.Sprintf("b%03d", n))
		hc.Namespace = "bad"
		hc.Spec.Release.Image = fmt.Sprintf("%s/x/y%d@sha256:%064x", silentDomain, n, n+1)
		w.create(t, hc)
	}
	silent.await(t, 1)
	good := w.hostedCluster("good")
	w.create(t, good)
	w.cpo(t, good, overridesAre(first))
	if err := w.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, "the deletion to begin", func(ctx context.Context) error {
		ns := new(corev1.Namespace)
		err := w.Get(ctx, client.ObjectKey{Name: hypershift.ControlPlaneNamespace(gone)}, ns)
		if err == nil && ns.DeletionTimestamp.IsZero() {
			return errors.New("the namespace is not being deleted")
		}
		return client.IgnoreNotFound(err)
	})
}

// The API server takes for ever to admit what is written for a tenant, who has more
// HostedClusters than there are workers. Another tenant's is made all the same.
func TestSlowAdmissionHoldsUpNobody(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	secret := w.pullSecret(w.auth(password))
	secret.Namespace = "bad"
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bad"}}, secret)
	var waiting atomic.Int32
	w.operate(t, func(o *Options) {
		o.Log = nil
		o.REST.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/namespaces/bad-") {
					waiting.Add(1)
					<-req.Context().Done()
				}
				return next.RoundTrip(req)
			})
		})
	})
	w.each(t, 2*workers, func(n int) error {
		hc := w.hostedCluster(fmt.Sprintf("b%03d", n))
		hc.Namespace = "bad"
		return w.Create(t.Context(), hc)
	})
	cluster.Await(t, "all workers that one namespace may have", func(context.Context) error {
		if n := waiting.Load(); n != workers/2 {
			return fmt.Errorf("%d of %d", n, workers/2)
		}
		return nil
	})
	good := w.hostedCluster("good")
	w.create(t, good)
	w.cpo(t, good, anything)
	if n := waiting.Load(); n != workers/2 {
		t.Errorf("%d workers wait for one tenant", n)
	}
}

const silentDomain = "silent.example.com"

// silent are connections on which nobody ever says anything.
type silent struct {
	mu    sync.Mutex
	hosts []string
	ended bool
	conns []net.Conn
}

func newSilent(t *testing.T) *silent {
	s := new(silent)
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			c.Close()
		}
	})
	return s
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

func (s *silent) or(next dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.Contains(address, silentDomain) {
			return next(ctx, network, address)
		}
		ours, theirs := net.Pipe()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.conns = append(s.conns, theirs)
		if slices.Contains(s.hosts, address) {
			s.ended = true
		}
		s.hosts = append(s.hosts, address)
		return ours, nil
	}
}

// await waits until that many of the hosts were asked.
func (s *silent) await(t *testing.T, n int) {
	t.Helper()
	cluster.Await(t, "lookups", func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.hosts) < n {
			return fmt.Errorf("%d of %d hosts", len(s.hosts), n)
		}
		return nil
	})
}

// A registry that answers 429 with Retry-After: 30 is asked once, and holds no worker.
// The HostedCluster comes back when the time is over, and not before.
func TestRetryAfterHoldsNoWorker(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)))
	var mu sync.Mutex
	asked := map[string]int{}
	slow := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			mu.Lock()
			asked[r.URL.Path]++
			mu.Unlock()
		}
		rw.Header().Set("Retry-After", "30")
		rw.WriteHeader(http.StatusTooManyRequests)
	}))
	defer slow.Close()
	addr := strings.TrimPrefix(slow.URL, "https://")
	w.operate(t, func(o *Options) {
		o.Log = nil
		o.Registry.RootCAs = o.Registry.RootCAs.Clone()
		o.Registry.RootCAs.AddCert(slow.Certificate())
		o.Registry.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == addr {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			return w.onlyMirror(ctx, network, address)
		}
	})
	var bad []*hyperv1.HostedCluster
	for n := range workers + 4 {
		hc := w.hostedCluster(fmt.Sprintf("bad%02d", n))
		hc.Spec.Release.Image = fmt.Sprintf("%s/t%02d/y@sha256:%064x", addr, n, n+1)
		w.create(t, hc)
		bad = append(bad, hc)
	}
	good := w.hostedCluster("good")
	w.create(t, good)
	w.cpo(t, good, anything)
	for _, hc := range bad {
		w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "429")
	}
	mu.Lock()
	defer mu.Unlock()
	for path, n := range asked {
		if n > 1 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
}

// While an upgrade is blocked by a release that cannot be read the control plane stays
// as it is, whatever names its image, and gets the rules that come.
func TestBlockedUpgrade(t *testing.T) {
	for name, named := range map[string]string{"image of the release": "", "named image": "quay.io/acme/cpo:v1"} {
		for _, how := range []Handover{HandoverEnv, HandoverConfigMap} {
			t.Run(name+" "+string(how), func(t *testing.T) { blockedUpgrade(t, named, how) })
		}
	}
}

func blockedUpgrade(t *testing.T, image string, how Handover) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	hc := w.hostedCluster("one")
	w.create(t, policy, w.pullSecret(w.auth(password)), hc)
	run := func(o *Options) { o.ControlPlaneOperatorImage, o.Handover = image, how }
	stop := w.operate(t, run)
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	before := w.cpo(t, hc, anything)

	change(t, w, hc, func(hc *hyperv1.HostedCluster) {
		hc.Spec.Release.Image = source + "@sha256:" + strings.Repeat("a", 64)
		hc.Spec.Labels = map[string]string{"of": "the-new-spec"}
		hc.Annotations = map[string]string{hyperv1.ControlPlaneOperatorImageAnnotation: "quay.io/acme/cpo:v2"}
	})
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "")
	never := func(mirror string) {
		change(t, w, policy, func(p *unstructured.Unstructured) {
			p.Object["spec"] = w.idms("", mirror, w.mirror.Host()+"/mirror/release").Object["spec"]
			p.Object["spec"].(map[string]any)["imageDigestMirrors"].([]any)[0].(map[string]any)["mirrorSourcePolicy"] = "NeverContactSource"
		})
		cluster.Await(t, "the rules", func(ctx context.Context) error {
			text := envOf(w.cpo(t, hc, anything), "MIRRORCHAIN_OVERRIDES")
			if how == HandoverConfigMap {
				cm := overridesMap(hc)
				if err := w.Get(ctx, keyOf(cm), cm); err != nil {
					return err
				}
				text = cm.Data["overrides.json"]
			}
			if !strings.Contains(text, mirror) || !strings.Contains(text, `"blocked":true`) {
				return fmt.Errorf("they are %s", text)
			}
			return nil
		})
	}
	never("y.example.com/r")
	// The same of an operator that starts now, with other replacements of registries too,
	// which change images.
	stop()
	w.operate(t, func(o *Options) { run(o); o.RegistryOverrides = "quay.io/a=mirror.example.com/a" })
	never("z.example.com/r")
	w.says(t, hc, hypershift.OverridesHandedOver, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "")

	after := w.cpo(t, hc, anything)
	if was, is := imagesOf(before), imagesOf(after); was != is {
		t.Errorf("release and image were %s and are %s", was, is)
	}
	if after.Spec.Template.Labels["of"] != "" {
		t.Error("a label of the new spec is in the Deployment")
	}
	hcp := &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hc.Name}}
	w.get(t, hcp)
	if got := envOf(after, "OPERATE_ON_RELEASE_IMAGE"); got != hcp.Spec.ReleaseImage {
		t.Errorf("it operates on %s, and the HostedControlPlane names %s", got, hcp.Spec.ReleaseImage)
	}
}

func TestRetryAfterBounds(t *testing.T) {
	if wait, ok := operator.RetryAfter(nil); ok {
		t.Errorf("no error is tried again after %v", wait)
	}
}

// imagesOf returns what a Deployment says about images, but for the mirror rules.
func imagesOf(d *appsv1.Deployment) string {
	return fmt.Sprint(envOf(d, envRelease), " ", d.Spec.Template.Spec.Containers[0].Image, " ", envOf(d, "CONTROL_PLANE_OPERATOR_IMAGE"))
}

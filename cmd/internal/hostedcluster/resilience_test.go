package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

// The API server is away when the operator starts, and again later;
// the policies may not be read, and may be again. The operator starts, follows and
// recovers without a restart, and /readyz says so. When it has been stopped nothing of
// it goes on.
func TestR8APIServerAway(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	hc := w.hostedCluster("one")
	w.create(t, policy, w.pullSecret(w.auth(password)), hc)
	before := goleak.IgnoreCurrent()
	health := process.FreeAddress(t)

	w.StopAPI(t)
	stop := w.operate(t, func(o *Options) { o.HealthAddr = health })
	ready(t, health, http.StatusInternalServerError)
	w.StartAPI(t)
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	w.cpo(t, hc, overridesAre(first))
	ready(t, health, http.StatusOK)
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")

	w.StopAPI(t)
	w.StartAPI(t)
	edit := func(mirror string) string {
		change(t, w, policy, func(p *unstructured.Unstructured) {
			p.Object["spec"] = w.idms("", mirror, w.mirror.Host()+"/mirror/release").Object["spec"]
		})
		return source + "=" + mirror + "," + first
	}
	w.cpo(t, hc, overridesAre(edit("y.example.com/r")))

	// Forbidden: the last good rules stay in force.
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: Owner}}
	change(t, w, role, func(r *rbacv1.ClusterRole) { r.Rules = r.Rules[2:] })
	w.StopAPI(t) // which ends the watches
	w.StartAPI(t)
	ready(t, health, http.StatusInternalServerError)
	want := edit("z.example.com/r")
	w.cpo(t, hc, overridesAre(strings.Replace(want, "z.", "y.", 1)))
	change(t, w, role, func(r *rbacv1.ClusterRole) { r.Rules = OperatorRules() })
	w.cpo(t, hc, overridesAre(want))
	ready(t, health, http.StatusOK)

	stop()
	w.mirror.Main().CloseConnections()
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before,
		// Connections to the API server, which client-go keeps for all clients of a process.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
		// The filter of a watch that ends with an event in it, for ever (apimachinery's
		// filteredWatch); controller-runtime puts it around watches of metadata.
		goleak.IgnoreTopFunction("k8s.io/apimachinery/pkg/watch.(*filteredWatch).loop"),
		// The API server that this test started.
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"),
	)
}

// The operator starts as deployed, with the name of its pod in place of its image, while
// the API server is away: health is served, and the image is found when it is back.
func TestStartWithoutImage(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	hc, health := w.hostedCluster("one"), process.FreeAddress(t)
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), hc)
	w.StopAPI(t)
	var found atomic.Bool
	w.operate(t, func(o *Options) {
		o.OperatorImage, o.HealthAddr, o.LeaseNamespace = "", health, operatorNamespace
		o.FindImage = func(ctx context.Context) (string, error) {
			err := w.Get(ctx, client.ObjectKey{Name: operatorNamespace}, new(corev1.Namespace))
			found.Store(err == nil)
			return ownImage, err
		}
	})
	ready(t, health, http.StatusInternalServerError)
	w.StartAPI(t)
	w.cpo(t, hc, anything)
	if !found.Load() {
		t.Error("a control plane is written before the operator's own image is known")
	}
	ready(t, health, http.StatusOK)
}

// Of two replicas one acts; when it ends the other goes on.
func TestLeaderElection(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy, w.pullSecret(w.auth(password)))
	elect := func(o *Options) { o.LeaseNamespace = operatorNamespace }
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: Owner}}
	holder := func(other string) string {
		t.Helper()
		cluster.Await(t, "a leader", func(ctx context.Context) error {
			if err := w.Get(ctx, keyOf(lease), lease); err != nil {
				return err
			}
			if h := lease.Spec.HolderIdentity; h == nil || *h == "" || *h == other {
				return errors.New("there is none")
			}
			return nil
		})
		return *lease.Spec.HolderIdentity
	}
	stop := w.operate(t, elect)
	leader := holder("")
	w.operate(t, elect)
	hc := w.hostedCluster("one")
	w.create(t, hc)
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	w.cpo(t, hc, overridesAre(first))
	stop()
	holder(leader)
	change(t, w, policy, func(p *unstructured.Unstructured) {
		p.Object["spec"] = w.idms("", "z.example.com/r", w.mirror.Host()+"/mirror/release").Object["spec"]
	})
	if d := w.cpo(t, hc, overridesAre(source+"=z.example.com/r,"+first)); d.Generation != 2 {
		t.Errorf("after one change the generation is %d", d.Generation)
	}
}

// A source that policy forbids gets not one packet, by digest or by
// tag, whatever the mirrors do.
func TestR12NeverContactSource(t *testing.T) {
	w := newWorld(t)
	from := w.forbidSource(t)
	w.create(t, w.pullSecret(w.auth(password)))
	var connections dials
	w.operate(t, func(o *Options) { o.Registry.Dial = connections.dial })
	there, missing, tag := w.hostedCluster("there"), w.hostedCluster("missing"), w.hostedCluster("tag")
	there.Spec.Release.Image = strings.Replace(w.image, source, from, 1)
	missing.Spec.Release.Image = from + "@sha256:" + strings.Repeat("a", 64)
	tag.Spec.Release.Image = from + ":4.17.4"
	w.create(t, there, missing, tag)
	w.says(t, there, hyperv1.ValidReleaseImage, metav1.ConditionTrue, "", "")
	w.says(t, missing, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "404")
	w.says(t, tag, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "404")
	connections.only(t, w.mirror.Main().Addr())
}

// OCPBUGS-57957: 500 sources of five mirrors each. In the environment they are too
// large, which a condition says and which leaves the Deployment as it is; in a
// ConfigMap they are handed over.
func TestOCPBUGS57957ManyMirrors(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)))
	stop := w.operate(t, nil)
	hc := w.hostedCluster("one")
	w.create(t, hc)
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	d := w.cpo(t, hc, overridesAre(first))

	const sources, mirrors, each = 500, 5, 50
	for n := 0; n < sources; n += each {
		p := w.idms(fmt.Sprintf("many-%03d", n))
		var entries []any
		for s := n; s < n+each; s++ {
			var list []any
			for m := range mirrors {
				list = append(list, fmt.Sprintf("mirror-%d.example.com/a-folder/of-mirrors/repository-%03d", m, s))
			}
			entries = append(entries, map[string]any{"source": fmt.Sprintf("registry.example.com/some-organisation/repository-%03d", s), "mirrors": list})
		}
		p.Object["spec"] = map[string]any{"imageDigestMirrors": entries}
		w.create(t, p)
	}
	w.says(t, hc, hypershift.OverridesHandedOver, metav1.ConditionFalse, hypershift.TooLargeReason, "--override-handover=configmap")
	now := w.cpo(t, hc, anything)
	if strings.Contains(envOf(now, "OPENSHIFT_IMG_OVERRIDES"), "repository-499") || now.Generation > d.Generation+sources/each {
		t.Errorf("generation %d", now.Generation)
	}
	stop()
	w.operate(t, func(o *Options) { o.Handover = HandoverConfigMap })
	w.cpo(t, hc, overridesAre("="))
	w.says(t, hc, hypershift.OverridesHandedOver, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	cluster.Await(t, "the document", func(ctx context.Context) error {
		cm := overridesMap(hc)
		if err := w.Get(ctx, keyOf(cm), cm); err != nil {
			return err
		}
		if n := strings.Count(cm.Data["overrides.json"], "mirror-4.example.com"); n != sources {
			return fmt.Errorf("%d of %d sources", n, sources)
		}
		return nil
	})
}

func keyOf(obj client.Object) client.ObjectKey { return client.ObjectKeyFromObject(obj) }

func overridesMap(hc *hyperv1.HostedCluster) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(hc), Name: "mirrorchain-overrides"}}
}

// ready waits for /readyz to answer with that status.
func ready(t *testing.T, addr string, want int) {
	t.Helper()
	cluster.Await(t, fmt.Sprintf("/readyz to say %d", want), func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != want {
			return errors.New(resp.Status)
		}
		return nil
	})
}

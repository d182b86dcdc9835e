package hostedcluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// fleet is how many HostedClusters docs/benchmarks.md, P11, is about.
const fleet = 200

// P11 (docs/benchmarks.md): a policy that changes reaches every one of 200 HostedClusters in
// one update of its Deployment, and what changes nothing updates none. The times are
// only logged.
func TestP11Fleet(t *testing.T) {
	if testing.Short() {
		t.Skip("200 HostedClusters")
	}
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy, w.pullSecret(w.auth(password)))
	traffic := new(traffic)
	w.operate(t, func(o *Options) {
		o.Log = nil // of 200 there would be more log than test
		o.REST.Wrap(traffic.wrap)
	})
	for n := range fleet {
		w.create(t, w.hostedCluster(fmt.Sprintf("c%03d", n)))
	}
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	cluster.Await(t, "200 control planes", func(ctx context.Context) error { return w.allHave(ctx, fleet, first) })
	w.quiet(t)

	edit := func(mirrors ...any) time.Time {
		change(t, w, policy, func(p *unstructured.Unstructured) { p.Object["spec"] = w.idms("", mirrors...).Object["spec"] })
		return time.Now()
	}
	traffic.reset()
	at := edit("z.example.com/r", w.mirror.Host()+"/mirror/release")
	cluster.Await(t, "the new rules", func(ctx context.Context) error {
		return w.allHave(ctx, fleet, source+"=z.example.com/r,"+first)
	})
	var took []time.Duration
	for _, written := range traffic.deployments() {
		took = append(took, written.Sub(at))
	}
	slices.Sort(took)
	t.Logf("after one change of the policies: first %v, median %v, last %v of %d Deployments",
		took[0].Round(time.Millisecond), took[fleet/2].Round(time.Millisecond), took[fleet-1].Round(time.Millisecond), fleet)
	// Then each is reconciled once: its pull secret and the copy are read. A second time would
	// be two more.
	cluster.Await(t, "the rest", func(context.Context) error {
		if n := traffic.counts()["GET secrets"]; n < 2*fleet {
			return fmt.Errorf("%d requests for Secrets", n)
		}
		return nil
	})
	w.quiet(t)
	if n := traffic.counts()["GET secrets"]; n > 3*fleet {
		t.Errorf("%d requests for Secrets of %d HostedClusters", n, fleet)
	} else {
		t.Logf("%d requests for Secrets", n)
	}
	w.generationsAre(t, 2)

	// What says the same in other words is no change, for nobody.
	change(t, w, policy, func(p *unstructured.Unstructured) { p.SetLabels(map[string]string{"poke": "1"}) })
	for n := range fleet {
		hc := w.hostedCluster(fmt.Sprintf("c%03d", n))
		change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Labels = map[string]string{"poke": "1"} })
	}
	// A change that does show, to know that everything before it has been done.
	edit("y.example.com/r", w.mirror.Host()+"/mirror/release")
	cluster.Await(t, "the rules after that", func(ctx context.Context) error { return w.allHave(ctx, fleet, source+"=y.example.com/r,"+first) })
	w.quiet(t)
	w.generationsAre(t, 3)
}

func (w *world) deployments(ctx context.Context) ([]appsv1.Deployment, error) {
	list := new(appsv1.DeploymentList)
	err := w.List(ctx, list, client.MatchingLabels{managedBy: Owner})
	return list.Items, err
}

// allHave fails unless n Deployments have these overrides.
func (w *world) allHave(ctx context.Context, want int, overrides string) error {
	all, err := w.deployments(ctx)
	if err != nil {
		return err
	}
	n := 0
	for i := range all {
		if overridesAre(overrides)(&all[i]) == nil {
			n++
		}
	}
	if n != want {
		return fmt.Errorf("%d of %d", n, want)
	}
	return nil
}

// quiet waits until every HostedCluster says that the last reconciliation, which wrote
// what it had to, went well for its generation.
func (w *world) quiet(t testing.TB) {
	t.Helper()
	cluster.Await(t, "peace", func(ctx context.Context) error {
		list := new(hyperv1.HostedClusterList)
		if err := w.List(ctx, list); err != nil {
			return err
		}
		for i := range list.Items {
			hc := &list.Items[i]
			for _, c := range hc.Status.Conditions {
				if c.Type == string(hyperv1.ReconciliationSucceeded) && c.Status == metav1.ConditionTrue && c.ObservedGeneration == hc.Generation {
					hc = nil
					break
				}
			}
			if hc != nil {
				return fmt.Errorf("%s is not reconciled", hc.Name)
			}
		}
		return nil
	})
}

func (w *world) generationsAre(t testing.TB, want int64) {
	t.Helper()
	all, err := w.deployments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if d.Generation != want {
			t.Errorf("%s has generation %d, want %d", d.Namespace, d.Generation, want)
		}
	}
}

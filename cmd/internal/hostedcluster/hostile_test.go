package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// P14: a tenant has 1,000 HostedClusters at a registry that sends a byte now and then. How
// long another tenant's new cluster takes while the operator begins with them, and then a
// change of the policies and a deletion.
func BenchmarkHostileTenant(b *testing.B) {
	const hostile = 1000
	for b.Loop() {
		w := newWorld(b)
		w.Install(b, cluster.OpenShiftCRD(b, idmsCRD))
		policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
		secret, gone, good := w.pullSecret(w.auth(password)), w.hostedCluster("gone"), w.hostedCluster("good")
		secret.Namespace = "bad"
		w.create(b, policy, w.pullSecret(w.auth(password)), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bad"}}, secret, gone)
		slow, err := testregistry.Start(testregistry.Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(slow.Close)
		slow.Fail(testregistry.Match{}, testregistry.Drip(300*time.Millisecond))
		rules := source + "=" + w.mirror.Host() + "/mirror/release"
		w.each(b, hostile, func(i int) error {
			hc := w.hostedCluster(fmt.Sprintf("b%04d", i))
			hc.Namespace = "bad"
			hc.Spec.Release.Image = fmt.Sprintf("%s/x/y%d@sha256:%064x", slow.Host(), i, i+1)
			return w.Create(b.Context(), hc)
		})
		w.operate(b, func(o *Options) {
			o.Log, o.Registry.Dial = nil, nil
			o.Registry.TLS = func(host string) (registry.TLS, error) {
				if host == slow.Host() {
					return registry.TLS{RootCAs: slow.CA().Pool()}, nil
				}
				return registry.TLS{}, nil
			}
		})
		seen := func(ctx context.Context) (n int, err error) { // how many of them the operator has looked at
			list := new(hyperv1.HostedClusterList)
			err = w.List(ctx, list, client.InNamespace("bad"))
			for i := range list.Items {
				n += len(list.Items[i].Finalizers)
			}
			return n, err
		}
		timed := func(what string, do, await func()) {
			began := time.Now()
			do()
			await()
			b.ReportMetric(float64(time.Since(began)), what)
		}
		cluster.Await(b, "the operator to begin with them", func(ctx context.Context) error {
			if n, err := seen(ctx); n == 0 {
				return errors.Join(err, errors.New("none has been looked at"))
			}
			return nil
		})
		timed("new-ns", func() { w.create(b, good) }, func() { w.awaitRules(b, client.ObjectKeyFromObject(good), rules) })
		if n, err := seen(b.Context()); err != nil || n >= hostile {
			b.Errorf("the new one was done when the operator had looked at %d of %d before it: %v", n, hostile, err)
		}
		cluster.Await(b, "all to have been looked at", func(ctx context.Context) error {
			n, err := seen(ctx)
			if asked := slow.Count(); n < hostile || asked < lookupsPerHost {
				return errors.Join(err, fmt.Errorf("%d of %d, and %d of %d lookups at once", n, hostile, asked, lookupsPerHost))
			}
			return nil
		})
		w.awaitRules(b, client.ObjectKeyFromObject(gone), rules)
		timed("edit-ns", func() {
			change(b, w, policy, func(p *unstructured.Unstructured) {
				p.Object["spec"] = w.idms("", "z.example.com/r", w.mirror.Host()+"/mirror/release").Object["spec"]
			})
		}, func() {
			w.awaitRules(b, client.ObjectKeyFromObject(good), source+"=z.example.com/r,"+rules)
		})
		timed("deletion-ns", func() {
			if err := w.Delete(b.Context(), gone); err != nil {
				b.Fatal(err)
			}
		}, func() {
			cluster.Await(b, "the deletion to begin", func(ctx context.Context) error {
				ns := new(corev1.Namespace)
				err := w.Get(ctx, client.ObjectKey{Name: hypershift.ControlPlaneNamespace(gone)}, ns)
				if apierrors.IsNotFound(err) || err == nil && !ns.DeletionTimestamp.IsZero() {
					return nil
				}
				return errors.Join(err, errors.New("the namespace is not being deleted"))
			})
		})
	}
}

// awaitRules waits until the Deployment of a HostedCluster has these rules.
func (w *world) awaitRules(tb testing.TB, hc client.ObjectKey, rules string) {
	tb.Helper()
	cluster.Await(tb, "the rules of "+hc.Name, func(ctx context.Context) error {
		d := new(appsv1.Deployment)
		if err := w.Get(ctx, client.ObjectKey{Namespace: hc.Namespace + "-" + hc.Name, Name: hypershift.ControlPlaneOperator}, d); err != nil {
			return err
		}
		return overridesAre(rules)(d)
	})
}

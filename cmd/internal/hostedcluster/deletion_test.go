package hostedcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

func anything(*appsv1.Deployment) error { return nil }

// A HostedCluster takes its control plane with it, in order: the HostedControlPlane,
// whose end others may wait with, the namespace, and then itself.
func TestDeletion(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"))
	stop := w.operate(t, nil)
	const others = "example.com/others"
	hc := w.hostedCluster("one")
	hc.Finalizers = []string{others}
	w.create(t, w.pullSecret(w.auth(password)), hc)
	w.cpo(t, hc, anything)
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionFalse, hyperv1.AsExpectedReason, "")
	if !slices.Contains(hc.Finalizers, Finalizer) {
		t.Fatalf("finalizers are %q", hc.Finalizers)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters-one"}}
	hcp := &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters-one", Name: "one"}}
	change(t, w, hcp, func(hcp *hyperv1.HostedControlPlane) { hcp.Finalizers = []string{others} })

	stop() // what is deleted while the operator is away is noticed when it is back
	w.delete(t, hc)
	w.operate(t, nil)
	w.await(t, hcp, "deletion of the HostedControlPlane", func() error { return deleting(hcp) })
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "WaitingForControlPlaneDeletion", "HostedControlPlane clusters-one/one to be deleted, which waits for who has the finalizers "+others)
	if w.get(t, ns); !ns.DeletionTimestamp.IsZero() {
		t.Error("the namespace is deleted before the HostedControlPlane is gone")
	}
	change(t, w, hcp, func(hcp *hyperv1.HostedControlPlane) { hcp.Finalizers = nil })
	w.await(t, ns, "deletion of the namespace", func() error { return deleting(ns) })
	if w.get(t, hc); !slices.Contains(hc.Finalizers, Finalizer) {
		t.Error("the HostedCluster is let go before its namespace is gone")
	}
	// What keeps the namespace, its controller says in its conditions.
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "WaitingForNamespaceDeletion", "namespace clusters-one to be deleted")
	ns.Status.Conditions = []corev1.NamespaceCondition{
		{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Message: "Some resources are remaining: pods. has 2 resource instances"},
		{Type: corev1.NamespaceDeletionContentFailure, Status: corev1.ConditionFalse, Message: "All content successfully deleted"},
	}
	if err := w.Status().Update(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "WaitingForNamespaceDeletion", "to be deleted; Some resources are remaining: pods. has 2 resource instances")
	if c := apimeta.FindStatusCondition(hc.Status.Conditions, string(hypershift.HostedClusterDeleting)); strings.Contains(c.Message, "All content") {
		t.Errorf("it tells of what is well: %s", c.Message)
	}
	w.finalize(t, ns)
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "DeletionCompleted", others)
	if slices.Contains(hc.Finalizers, Finalizer) {
		cluster.Await(t, "our finalizer to go", func(ctx context.Context) error {
			if w.get(t, hc); slices.Contains(hc.Finalizers, Finalizer) {
				return fmt.Errorf("finalizers %q", hc.Finalizers)
			}
			return nil
		})
	}
	change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Finalizers = nil })
	w.gone(t, hc)
}

// The deletion of one that is paused goes on, and says what it waits for.
func TestDeletionWhilePaused(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"))
	w.operate(t, nil)
	hc := w.hostedCluster("one")
	w.create(t, w.pullSecret(w.auth(password)), hc)
	w.cpo(t, hc, anything)
	hcp := &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters-one", Name: "one"}}
	change(t, w, hcp, func(hcp *hyperv1.HostedControlPlane) { hcp.Finalizers = []string{"example.com/others"} })
	change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Spec.PausedUntil = new("true") })
	w.says(t, hc, hyperv1.ReconciliationActive, metav1.ConditionFalse, hyperv1.ReconciliationPausedConditionReason, "")
	w.await(t, hcp, "the pause of the HostedControlPlane", func() error {
		if hcp.Spec.PausedUntil == nil {
			return fmt.Errorf("it is not paused")
		}
		return nil
	})
	w.delete(t, hc)
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "WaitingForControlPlaneDeletion", "example.com/others. It is paused: ")
	change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Spec.PausedUntil = nil })
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "WaitingForControlPlaneDeletion", "")
	w.await(t, hcp, "the end of the pause", func() error {
		if hcp.Spec.PausedUntil != nil {
			return fmt.Errorf("it is paused")
		}
		return nil
	})
	change(t, w, hcp, func(hcp *hyperv1.HostedControlPlane) { hcp.Finalizers = nil })
	w.says(t, hc, hypershift.HostedClusterDeleting, metav1.ConditionTrue, "WaitingForNamespaceDeletion", "namespace clusters-one")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters-one"}}
	w.get(t, ns)
	w.finalize(t, ns)
	w.gone(t, hc)
}

// One that never had a control plane goes at once.
func TestDeletionOfNothing(t *testing.T) {
	w := newWorld(t)
	w.operate(t, nil)
	hc := w.hostedCluster("one")
	w.create(t, hc)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.SecretNotFoundReason, "")
	w.delete(t, hc)
	w.gone(t, hc)
}

// A namespace that is somebody else's is neither written to nor deleted, and a
// HostedCluster that wants it is told.
func TestNamespaceOfSomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	taken := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters-taken"}}
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), taken,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters-a"}})
	w.operate(t, nil)
	first, second, third := w.hostedCluster("a-b"), w.hostedCluster("b"), w.hostedCluster("taken")
	second.Namespace = "clusters-a" // so that both have clusters-a-b
	secret := w.pullSecret(w.auth(password))
	theirs := secret.DeepCopy()
	theirs.Namespace = second.Namespace
	w.create(t, secret, theirs, first)
	w.cpo(t, first, anything)
	w.says(t, first, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	before := w.versions(t, first)

	w.create(t, second, third)
	w.says(t, second, hyperv1.ReconciliationSucceeded, metav1.ConditionFalse, "ReconciliationError", "clusters-a-b is that of HostedCluster clusters/a-b")
	w.says(t, third, hyperv1.ReconciliationSucceeded, metav1.ConditionFalse, "ReconciliationError", "clusters-taken is there and is no control plane namespace")
	w.delete(t, second)
	w.delete(t, third)
	w.gone(t, second)
	w.gone(t, third)
	if w.get(t, taken); len(taken.Annotations) > 0 || !taken.DeletionTimestamp.IsZero() {
		t.Errorf("somebody else's namespace was written: %+v", taken.ObjectMeta)
	}
	for kind, version := range w.versions(t, first) {
		if version != before[kind] {
			t.Errorf("%s of another cluster was written", kind)
		}
	}

	// A namespace that cannot be is told before anything is looked up.
	long := w.hostedCluster(strings.Repeat("x", 55))
	w.create(t, long)
	w.says(t, long, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "which has 64 characters, and a namespace has 63 at most")
	w.says(t, long, hyperv1.ValidHostedClusterConfiguration, metav1.ConditionFalse, hyperv1.InvalidConfigurationReason, long.Name)
	if c := apimeta.FindStatusCondition(long.Status.Conditions, string(hyperv1.ValidReleaseImage)); c != nil {
		t.Errorf("it was looked up: %+v", c)
	}
	w.delete(t, long)
	w.gone(t, long)

	// What the first cluster lacks because HyperShift made the namespace is no reason
	// not to take it over.
	fourth := w.hostedCluster("old")
	w.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters-old", Labels: map[string]string{hypershift.ControlPlaneLabel: "true"}}}, fourth)
	w.cpo(t, fourth, anything)
}

// What is left out of a HostedCluster is filled in once, as HyperShift does.
func TestDefaults(t *testing.T) {
	w := newWorld(t)
	w.operate(t, nil)
	hc := w.hostedCluster("a.rather-long-name.of-a-cluster-that.is-cut")
	hc.Spec.InfraID, hc.Spec.ClusterID = "", ""
	w.create(t, hc)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.SecretNotFoundReason, "")
	if len(hc.Spec.InfraID) != 32 || hc.Spec.InfraID[:27] != "a-rather-long-name-of-a-cl-" || len(hc.Spec.ClusterID) != 36 || hc.Generation != 2 {
		t.Errorf("infraID %q, clusterID %q, generation %d", hc.Spec.InfraID, hc.Spec.ClusterID, hc.Generation)
	}
}

func deleting(obj client.Object) error {
	if obj.GetDeletionTimestamp().IsZero() {
		return fmt.Errorf("it is not being deleted")
	}
	return nil
}

func (w *world) get(t testing.TB, obj client.Object) {
	t.Helper()
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
}

func (w *world) delete(t testing.TB, obj client.Object) {
	t.Helper()
	if err := w.Delete(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
}

// await reads obj until check is content.
func (w *world) await(t testing.TB, obj client.Object, what string, check func() error) {
	t.Helper()
	cluster.Await(t, what, func(ctx context.Context) error {
		if err := w.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		return check()
	})
}

func (w *world) gone(t testing.TB, obj client.Object) {
	t.Helper()
	cluster.Await(t, fmt.Sprintf("the end of %T %s", obj, obj.GetName()), func(ctx context.Context) error {
		err := w.Get(ctx, client.ObjectKeyFromObject(obj), obj)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is still there: %v, finalizers %q", err, obj.GetFinalizers())
	})
}

// finalize does what the namespace controller would, which is not there.
func (w *world) finalize(t testing.TB, ns *corev1.Namespace) {
	t.Helper()
	clients, err := kubernetes.NewForConfig(w.Config())
	if err != nil {
		t.Fatal(err)
	}
	ns.Spec.Finalizers = nil
	if _, err := clients.CoreV1().Namespaces().Finalize(t.Context(), ns, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// A namespace with the label of control planes that was never written for the cluster is
// not deleted with it; one that was, and whose end nothing announces, is waited for.
func TestDeletionLeavesLabelledNamespace(t *testing.T) {
	w := newWorld(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "clusters-old", Labels: map[string]string{hypershift.ControlPlaneLabel: "true"}}}
	hc := w.hostedCluster("old")
	unseen, other := ns.DeepCopy(), w.hostedCluster("other")
	unseen.Name, unseen.Annotations = "clusters-other", map[string]string{clusterAnnotation: "clusters/other"} // and no label of ours: it is in no cache
	w.create(t, ns, unseen, hc, other)
	w.operate(t, nil)
	for _, hc := range []*hyperv1.HostedCluster{hc, other} {
		w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.SecretNotFoundReason, "")
		w.delete(t, hc)
	}
	w.gone(t, hc)
	if w.get(t, ns); !ns.DeletionTimestamp.IsZero() {
		t.Error("a namespace that was never written for the cluster is deleted")
	}
	w.await(t, unseen, "deletion of the namespace", func() error { return deleting(unseen) })
	w.finalize(t, unseen)
	w.gone(t, other)
}

// Nothing is written of a cluster that is paused from the start, but its conditions.
func TestPausedFromTheStart(t *testing.T) {
	w := newWorld(t)
	hc := w.hostedCluster("one")
	hc.Spec.InfraID, hc.Spec.PausedUntil = "", new("true")
	w.create(t, hc)
	w.operate(t, nil)
	w.says(t, hc, hyperv1.ReconciliationActive, metav1.ConditionFalse, hyperv1.ReconciliationPausedConditionReason, "")
	if hc.Generation != 1 || len(hc.Finalizers) > 0 {
		t.Errorf("generation %d, finalizers %q", hc.Generation, hc.Finalizers)
	}
}

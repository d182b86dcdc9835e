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
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/writers"
)

// controlPlaneObjects returns all that is written into the control plane namespace of hc.
func controlPlaneObjects(hc *hyperv1.HostedCluster) []client.Object {
	ns := hypershift.ControlPlaneNamespace(hc)
	of := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: name} }
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}},
		&corev1.Secret{ObjectMeta: of(hypershift.PullSecret)},
		&hyperv1.HostedControlPlane{ObjectMeta: of(hc.Name)},
		&corev1.ServiceAccount{ObjectMeta: of(hypershift.ControlPlaneOperator)},
		&rbacv1.Role{ObjectMeta: of(hypershift.ControlPlaneOperator)},
		&rbacv1.RoleBinding{ObjectMeta: of(hypershift.ControlPlaneOperator)},
		&appsv1.Deployment{ObjectMeta: of(hypershift.ControlPlaneOperator)},
		&corev1.ConfigMap{ObjectMeta: of(hypershift.ManagedCABundle)},
	}
}

// A control plane of HyperShift is taken over: what is written here stays the only thing
// that is written, and HyperShift's sidecars and volumes are gone.
func TestTakeOver(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	hc := w.hostedCluster("one")
	w.hypershiftsControlPlane(t, hc)
	objects := controlPlaneObjects(hc)
	d := objects[6].(*appsv1.Deployment)
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), hc, w.trustedCA())
	w.operate(t, nil)
	w.cpo(t, hc, overridesAre(source+"="+w.mirror.Host()+"/mirror/release"))
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	writers.Peace(t, w, objects...)
	if pod := d.Spec.Template.Spec; len(pod.Containers) != 1 || slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == writers.Sidecar }) ||
		slices.ContainsFunc(pod.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == "OLD" }) {
		t.Errorf("HyperShift's parts are still there: %+v", pod)
	}
}

// hypershiftsControlPlane creates the namespace of hc and the control-plane-operator in it, with
// parts that only HyperShift's has, as HyperShift's operator does.
func (w *world) hypershiftsControlPlane(t *testing.T, hc *hyperv1.HostedCluster) {
	t.Helper()
	objects := controlPlaneObjects(hc)
	namespace, d := objects[0], objects[6].(*appsv1.Deployment)
	namespace.SetLabels(map[string]string{hypershift.ControlPlaneLabel: "true"})
	rendered, err := render(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Spec = rendered.Spec
	pod := &d.Spec.Template.Spec
	pod.Containers[0].Env = append(pod.Containers[0].Env, corev1.EnvVar{Name: "OLD", Value: "1"})
	pod.Containers = append(pod.Containers, corev1.Container{Name: writers.Sidecar, Image: "quay.io/openshift/hypershift:4.17"})
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: writers.Sidecar, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	w.create(t, namespace)
	if err := w.Create(t.Context(), d, client.FieldOwner(writers.HyperShiftOperator)); err != nil {
		t.Fatal(err)
	}
}

// After any write of somebody else nothing is written a few seconds later, and what
// matters is right: the image, the rules, the pull secret, our labels.
func TestOtherWriters(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	hc := w.hostedCluster("one")
	hc.Spec.Labels = map[string]string{"cost": "centre"}
	w.create(t, policy, w.pullSecret(w.auth(password)), hc, w.trustedCA())
	w.operate(t, func(o *Options) { o.Log = nil })
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	w.cpo(t, hc, overridesAre(first))
	objects := append(controlPlaneObjects(hc), hc)
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	writers.Peace(t, w, objects...)
	image := objects[6].(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image
	right := func(t *testing.T, image string) {
		t.Helper()
		cluster.Await(t, "what matters", func(ctx context.Context) error {
			for _, obj := range objects {
				if err := w.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
					return err
				}
				if obj == hc {
					continue
				}
				if obj.GetLabels()[managedBy] != Owner {
					if _, ok := obj.(*hyperv1.HostedControlPlane); !ok || obj.GetLabels()[managedBy] != "" {
						return fmt.Errorf("%T is labelled %v", obj, obj.GetLabels())
					}
				}
			}
			d := objects[6].(*appsv1.Deployment)
			pod := d.Spec.Template
			if got := pod.Spec.Containers[0].Image; got != image || *d.Spec.Replicas != 1 || pod.Labels["cost"] != "centre" {
				return fmt.Errorf("image %s, %d replicas, labels %v", got, *d.Spec.Replicas, pod.Labels)
			}
			if slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == writers.Sidecar }) ||
				slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == writers.Sidecar }) {
				return fmt.Errorf("HyperShift's sidecar is still there")
			}
			account := objects[3].(*corev1.ServiceAccount)
			if !slices.Contains(account.ImagePullSecrets, corev1.LocalObjectReference{Name: hypershift.PullSecret}) {
				return fmt.Errorf("pull secrets are %v", account.ImagePullSecrets)
			}
			if ca := objects[7].(*corev1.ConfigMap).Data[hypershift.CABundleKey]; !strings.HasPrefix(ca, string(w.mirror.CA().PEM())) {
				return fmt.Errorf("the CA bundle is %q", ca)
			}
			return overridesAre(first)(d)
		})
	}
	documented := writers.Documented(t, "../../../docs/operators.md", Owner)
	for _, other := range writers.All() {
		t.Run(other.Name, func(t *testing.T) {
			other.Check(t, w, documented, objects...)
			right(t, image)
		})
	}
	account := objects[3].(*corev1.ServiceAccount)
	if len(account.ImagePullSecrets) != 2 {
		t.Errorf("OpenShift's pull secret is gone: %v", account.ImagePullSecrets)
	}
	for _, m := range writers.Mutations() {
		t.Run("webhook for "+m.Name, func(t *testing.T) {
			remove := writers.Webhook(t, w.Cluster, m)
			// It sees writes of others, and those of the operator that they cause.
			writers.All()[1].Apply(t, w, objects...)
			writers.All()[5].Apply(t, w, objects...)
			if n, want := writers.Peace(t, w, objects...), documented["webhook: "+m.Name]; n != want {
				t.Errorf("%d versions after it, and the document says %d", n, want)
			}
			got := objects[6].(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image
			if !strings.Contains(got, image) {
				t.Errorf("the image is %s, want %s", got, image)
			}
			right(t, got)
			remove()
			// What it left is corrected at the next occasion.
			writers.All()[0].Apply(t, w, objects...)
			change(t, w, objects[6].(*appsv1.Deployment), func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(2)) })
			writers.Peace(t, w, objects...)
			right(t, image)
		})
	}
	// An edit of the rules still arrives, once.
	change(t, w, policy, func(p *unstructured.Unstructured) {
		p.Object["spec"] = w.idms("", "z.example.com/r", w.mirror.Host()+"/mirror/release").Object["spec"]
	})
	w.cpo(t, hc, overridesAre(source+"=z.example.com/r,"+first))
	if n := writers.Peace(t, w, objects...); n > 2 {
		t.Errorf("%d versions after an edit of the rules", n)
	}
}

package hostedcluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/writers"
)

// hypershiftsImage is a control-plane-operator of HyperShift.
const hypershiftsImage = "quay.io/openshift/hypershift:4.17"

// hypershiftsRights returns an account of a control plane with its Role, as HyperShift's
// operators make them. The control-plane-operator may do more than we have to give.
func hypershiftsRights(hc *hyperv1.HostedCluster, name string, rules ...rbacv1.PolicyRule) []client.Object {
	of := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: hypershift.ControlPlaneNamespace(hc), Name: name,
			Annotations: map[string]string{"hypershift.openshift.io/cluster": client.ObjectKeyFromObject(hc).String()},
		}
	}
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: of()},
		&rbacv1.Role{ObjectMeta: of(), Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: of(), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: hypershift.ControlPlaneNamespace(hc)}},
		},
	}
}

// mayList waits until an account of hc's control plane may list StatefulSets there, or may not.
func (w *world) mayList(t *testing.T, hc *hyperv1.HostedCluster, account string, want bool) {
	t.Helper()
	ns := hypershift.ControlPlaneNamespace(hc)
	c, err := client.New(w.User("system:serviceaccount:"+ns+":"+account), client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	cluster.Await(t, fmt.Sprintf("%s: may list StatefulSets: %v", account, want), func(ctx context.Context) error {
		err := c.List(ctx, new(appsv1.StatefulSetList), client.InNamespace(ns))
		if want && err == nil || !want && apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("listing StatefulSets: %v", err)
	})
}

// A control plane that is taken over with HyperShift's control-plane-operator goes on with the
// rights that HyperShift gave it. With ours it has the fewer that ours needs. No other account
// loses any, and HyperShift's operator can take all of it back.
func TestTakeOverOfRights(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	hc := w.hostedCluster("one")
	image := func(name string) {
		t.Helper()
		change(t, w, hc, func(hc *hyperv1.HostedCluster) {
			hc.Annotations = map[string]string{hyperv1.ControlPlaneOperatorImageAnnotation: name}
		})
		w.cpo(t, hc, func(d *appsv1.Deployment) error {
			if got := d.Spec.Template.Spec.Containers[0].Image; got != name {
				return fmt.Errorf("the image is %s", got)
			}
			return nil
		})
		w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	}
	everything := []rbacv1.PolicyRule{
		{APIGroups: []string{hyperv1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps", "pods", "secrets", "services"}, Verbs: []string{"*"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets"}, Verbs: []string{"*"}},
	}
	w.hypershiftsControlPlane(t, hc)
	change(t, w, controlPlaneObjects(hc)[0].(*corev1.Namespace), func(ns *corev1.Namespace) {
		ns.Annotations = map[string]string{"hypershift.openshift.io/default-security-context-uid": "1007"}
	})
	operators := hypershiftsRights(hc, hypershift.ControlPlaneOperator, everything...)
	others := hypershiftsRights(hc, "cluster-storage-operator", everything[2])
	for _, obj := range append(operators, others...) {
		if err := w.Create(t.Context(), obj, client.FieldOwner(writers.HyperShiftOperator)); err != nil {
			t.Fatal(err)
		}
	}
	unchanged := func(objects ...client.Object) {
		t.Helper()
		for _, obj := range objects {
			was := obj.GetResourceVersion()
			if w.get(t, obj); obj.GetResourceVersion() != was {
				t.Errorf("%T %s was written: %v", obj, obj.GetName(), obj.GetManagedFields())
			}
		}
	}
	hc.Annotations = map[string]string{hyperv1.ControlPlaneOperatorImageAnnotation: hypershiftsImage}
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), hc)
	stop := w.operate(t, nil)
	d := w.cpo(t, hc, overridesAre(source+"="+w.mirror.Host()+"/mirror/release"))
	if uid := envOf(d, "DEFAULT_SECURITY_CONTEXT_UID"); uid != "1007" || *d.Spec.Template.Spec.SecurityContext.RunAsUser != 1007 {
		t.Errorf("containers have the user %s, and files of volumes that of HyperShift's 1007", uid)
	}
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	unchanged(append(operators[1:], others...)...)
	w.mayList(t, hc, hypershift.ControlPlaneOperator, true)

	image(ownImage)
	role := operators[1].(*rbacv1.Role)
	if w.get(t, role); len(role.Rules) == len(everything) {
		t.Errorf("our control-plane-operator has the rules %v", role.Rules)
	}
	w.mayList(t, hc, hypershift.ControlPlaneOperator, false)
	w.mayList(t, hc, "cluster-storage-operator", true)
	unchanged(others...)

	// Back again, for a while: HyperShift's operator updates what is not as it wants it. Those
	// before 4.22 know nothing of the annotation with the hash.
	for _, hash := range []string{"6c1b", ""} {
		stop()
		w.get(t, role)
		role.Rules = everything
		if hash != "" {
			role.Annotations[operator.StateHash] = hash
		}
		if err := w.Update(t.Context(), role, client.FieldOwner(writers.HyperShiftOperator)); err != nil {
			t.Fatal(err)
		}
		w.mayList(t, hc, hypershift.ControlPlaneOperator, true)
		stop = w.operate(t, nil)
		image(hypershiftsImage)
		writers.Peace(t, w, role)
		if w.get(t, role); len(role.Rules) != len(everything) {
			t.Errorf("with the hash %q: the rules are %v", hash, role.Rules)
		}
		image(ownImage)
		if w.get(t, role); len(role.Rules) == len(everything) || !strings.HasPrefix(role.Annotations[operator.StateHash], "mirrorchain-") {
			t.Errorf("with the hash %q: our control-plane-operator has the rules %v", hash, role.Rules)
		}
	}
	// A Role that was written here and was edited by anybody else is corrected.
	image(hypershiftsImage)
	change(t, w, role, func(r *rbacv1.Role) { r.Rules = everything })
	w.await(t, role, "the Role to be corrected", func() error {
		if len(role.Rules) == len(everything) {
			return fmt.Errorf("the rules are %v", role.Rules)
		}
		return nil
	})
}

package writers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// HyperShift are the field managers of HyperShift's two operators.
const (
	HyperShiftOperator     = "hypershift-operator-manager"
	HyperShiftControlPlane = "hypershift-controlplane-manager"
)

// Writer is somebody else who writes objects.
type Writer struct {
	Name string
	// Wants reports whether the writer writes such an object.
	Wants func(client.Object) bool
	// Write writes an object once, as it is now.
	Write func(ctx context.Context, c client.Client, obj client.Object) error
	// Apart says that it writes one object, and the next one when that has been corrected:
	// what corrects one of them writes another, so two at once are corrected in as many
	// versions as chance has it.
	Apart bool
}

// All returns writers of single writes. Webhooks are apart: see [Webhook].
func All() []Writer {
	anything := func(client.Object) bool { return true }
	deployment, account := is[*appsv1.Deployment], is[*corev1.ServiceAccount]
	return append([]Writer{
		{Name: "kubectl label", Wants: anything, Write: merge(`{"metadata":{"labels":{"team":"a"}}}`)},
		{Name: "kubectl annotate", Wants: anything, Write: merge(`{"metadata":{"annotations":{"note":"a"}}}`)},
		{Name: "kubectl label, of one of the operator's", Wants: func(obj client.Object) bool { return ours(obj) != "" }, Write: relabel},
		{Name: "kubectl patch, label of pods", Wants: deployment, Write: merge(`{"spec":{"template":{"metadata":{"labels":{"team":"a"}}}}}`)},
		{Name: "kubectl rollout restart", Wants: deployment, Write: merge(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`)},
		{Name: "kubectl scale", Wants: deployment, Write: merge(`{"spec":{"replicas":3}}`)},
		{Name: "kubectl set env", Wants: deployment, Write: ofContainer(func(c map[string]any) { c["env"] = []any{map[string]any{"name": "DEBUG", "value": "1"}} })},
		{Name: "kubectl set image", Wants: deployment, Write: ofContainer(func(c map[string]any) { c["image"] = "elsewhere.example.com/x:1" })},
		{Name: "kubectl set resources", Wants: deployment, Write: ofContainer(func(c map[string]any) {
			c["resources"] = map[string]any{"requests": map[string]any{"cpu": "11m"}, "limits": map[string]any{"memory": "1Gi"}}
		})},
		{Name: "kubectl patch, tolerations", Wants: deployment, Write: merge(`{"spec":{"template":{"spec":{"tolerations":[{"key":"spot","operator":"Exists"}]}}}}`)},
		{Name: "OpenShift's pull secrets", Wants: account, Write: dockercfg},
		{Name: "GitOps", Wants: anything, Write: gitOps},
		{Name: "HyperShift's operator", Wants: deployment, Write: hypershift},
		{
			Name:  "kubectl edit, data of Secrets and ConfigMaps, one by one",
			Wants: func(obj client.Object) bool { return is[*corev1.Secret](obj) || is[*corev1.ConfigMap](obj) },
			Write: data, Apart: true, // a new authority signs a new certificate
		},
		{Name: "kubectl edit, rules of Roles", Wants: is[*rbacv1.Role], Write: merge(`{"rules":[]}`)},
		{Name: "kubectl edit, subjects of RoleBindings", Wants: is[*rbacv1.RoleBinding], Write: merge(`{"subjects":[]}`)},
		{Name: "kubectl edit, selector of Services", Wants: is[*corev1.Service], Write: merge(`{"spec":{"selector":{"app":"another"}}}`)},
	}, clashing()...)
}

func is[T client.Object](obj client.Object) bool { _, ok := obj.(T); return ok }

// data replaces every value.
func data(ctx context.Context, c client.Client, obj client.Object) error {
	switch obj := obj.(type) {
	case *corev1.Secret:
		for key := range obj.Data {
			obj.Data[key] = []byte("{}")
		}
	case *corev1.ConfigMap:
		for key := range obj.Data {
			obj.Data[key] = "{}"
		}
	}
	return c.Update(ctx, obj, client.FieldOwner("kubectl-edit"))
}

type write = func(context.Context, client.Client, client.Object) error

func merge(patch string) write {
	return func(ctx context.Context, c client.Client, obj client.Object) error {
		return c.Patch(ctx, obj, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner("kubectl-patch"))
	}
}

func ofContainer(change func(map[string]any)) write {
	return func(ctx context.Context, c client.Client, obj client.Object) error {
		container := map[string]any{"name": obj.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Name}
		change(container)
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{container}}}}})
		if err != nil {
			return err
		}
		return c.Patch(ctx, obj, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner("kubectl-set"))
	}
}

// ours returns the label by which an operator marks what it writes, "" if there is none.
func ours(obj client.Object) string {
	for _, name := range []string{"app.kubernetes.io/managed-by", "hypershift.openshift.io/managed-by"} {
		if obj.GetLabels()[name] != "" {
			return name
		}
	}
	return ""
}

func relabel(ctx context.Context, c client.Client, obj client.Object) error {
	return merge(fmt.Sprintf(`{"metadata":{"labels":{%q:"another"}}}`, ours(obj)))(ctx, c, obj)
}

// dockercfg does what OpenShift's controller manager does. It adds a pull secret to each
// ServiceAccount that has none of its own.
func dockercfg(ctx context.Context, c client.Client, obj client.Object) error {
	account := obj.(*corev1.ServiceAccount)
	name := account.Name + "-dockercfg-x7k2p"
	account.ImagePullSecrets = append(account.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	account.Secrets = append(account.Secrets, corev1.ObjectReference{Name: name})
	return c.Update(ctx, account, client.FieldOwner("openshift-controller-manager"))
}

// gitOps applies the object as it is, with a label of its own, and takes all of it over.
func gitOps(ctx context.Context, c client.Client, obj client.Object) error {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	data, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	u := new(unstructured.Unstructured)
	if err := json.Unmarshal(data, &u.Object); err != nil {
		return err
	}
	u.SetGroupVersionKind(gvk)
	delete(u.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"} {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["app.kubernetes.io/instance"] = "gitops"
	u.SetLabels(labels)
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("argocd-controller"), client.ForceOwnership); err != nil {
		return err
	}
	obj.SetResourceVersion(u.GetResourceVersion())
	return nil
}

// Sidecar is the name of the container and volume that HyperShift's operator adds.
const Sidecar = "cloud-token-minter"

// hypershift does what HyperShift's operator does. It makes the Deployment its own.
func hypershift(ctx context.Context, c client.Client, obj client.Object) error {
	d := obj.(*appsv1.Deployment)
	d.Annotations["hypershift.openshift.io/desired-state-hash"] = "6c1b"
	pod := &d.Spec.Template.Spec
	pod.Containers[0].Image = "quay.io/openshift/hypershift:4.17"
	pod.Containers = append(pod.Containers, corev1.Container{Name: Sidecar, Image: "quay.io/openshift/hypershift:4.17"})
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: Sidecar, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	return c.Update(ctx, d, client.FieldOwner(HyperShiftOperator))
}

// Apply has w write each of objects that it wants, as it is on the cluster. It reports how
// many that were.
func (w Writer) Apply(t testing.TB, c client.Client, objects ...client.Object) (wrote int) {
	t.Helper()
	for _, obj := range objects {
		if !w.Wants(obj) {
			continue
		}
		cluster.Await(t, fmt.Sprintf("%s of %T %s", w.Name, obj, obj.GetName()), func(ctx context.Context) error {
			if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return err
			}
			return w.Write(ctx, c, obj) // done again where the operator was faster
		})
		wrote++
	}
	return wrote
}

// Check has w write objects, and fails unless [Peace] then counts as many versions as
// documented says of w, or w writes nothing where it says nothing.
func (w Writer) Check(t testing.TB, c client.WithWatch, documented map[string]int, objects ...client.Object) {
	t.Helper()
	want, ok := documented[w.Name]
	wrote, versions := 0, 0
	if w.Apart {
		for _, obj := range objects {
			if w.Apply(t, c, obj) > 0 {
				wrote++
				versions += Peace(t, c, objects...)
			}
		}
	} else {
		wrote, versions = w.Apply(t, c, objects...), Peace(t, c, objects...)
	}
	if (wrote > 0) != ok {
		t.Fatalf("it writes %d objects, and the document says of it: %d", wrote, want)
	}
	if versions != want {
		t.Errorf("%d versions after it, and the document says %d", versions, want)
	}
}

// How long nothing may be written for peace, and how long that may take.
const (
	quiet = 2 * time.Second
	most  = time.Minute
)

// Peace waits until no version of objects has been written for two seconds, and returns how
// many were written since objects were read or written. It fails where they go on changing
// for a minute. objects are as they are then.
func Peace(t testing.TB, c client.WithWatch, objects ...client.Object) (versions int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	written := make(chan string)
	for _, obj := range objects {
		if obj.GetResourceVersion() == "" {
			if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				t.Fatal(err)
			}
		}
		w, err := follow(ctx, c, obj)
		if err != nil {
			t.Fatalf("watching %T %s: %v", obj, obj.GetName(), err)
		}
		watching.Go(func() {
			defer w.Stop()
			for e := range w.ResultChan() {
				select {
				case written <- fmt.Sprintf("%s of %T %s", e.Type, obj, obj.GetName()):
				case <-ctx.Done():
					return
				}
			}
		})
	}
	end, peace := time.After(most), time.NewTimer(quiet)
	for {
		select {
		case what := <-written:
			if strings.HasPrefix(what, string(watch.Error)) {
				t.Fatal(what)
			}
			versions++
			peace.Reset(quiet)
			continue
		case <-end:
			t.Fatalf("%d versions in a minute, and no end", versions)
		case <-peace.C:
		}
		for _, obj := range objects {
			if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				t.Fatal(err)
			}
		}
		return versions
	}
}

// follow watches one object from the version on that it has.
func follow(ctx context.Context, c client.WithWatch, obj client.Object) (watch.Interface, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return nil, err
	}
	list := new(metav1.PartialObjectMetadataList)
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	return c.Watch(ctx, list, &client.ListOptions{
		Namespace: obj.GetNamespace(), FieldSelector: fields.OneTermEqualSelector("metadata.name", obj.GetName()),
		Raw: &metav1.ListOptions{ResourceVersion: obj.GetResourceVersion()},
	})
}

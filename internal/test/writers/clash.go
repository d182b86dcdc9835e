package writers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clashing returns writers whose writes an operator's do not go together with: the API server
// refuses both in one object, or to change the one into the other.
func clashing() []Writer {
	deployment := is[*appsv1.Deployment]
	elsewhere := map[string]any{"configMapKeyRef": map[string]any{"name": "elsewhere", "key": "rules"}}
	return []Writer{
		{Name: "kubectl edit, a variable twice", Wants: deployment, Write: twice},
		{Name: "kubectl edit, a variable's value from elsewhere", Wants: deployment, Write: ofContainer(func(c map[string]any) {
			c["env"] = []any{map[string]any{"name": "OPENSHIFT_IMG_OVERRIDES", "value": nil, "valueFrom": elsewhere}}
		})},
		{Name: "kubectl edit, another kind of probe", Wants: deployment, Write: ofContainer(func(c map[string]any) {
			c["livenessProbe"] = map[string]any{"httpGet": nil, "tcpSocket": map[string]any{"port": 1}}
		})},
		{Name: "kubectl edit, the name of a port", Wants: deployment, Write: ofContainer(func(c map[string]any) {
			c["ports"] = []any{map[string]any{"containerPort": 8080, "$patch": "delete"}, map[string]any{"name": "metrics", "containerPort": 9999}}
		})},
		{Name: "kubectl edit, another kind of volume", Wants: deployment, Write: volume},
		{Name: "kubectl set resources, a limit below the request", Wants: deployment, Write: ofContainer(func(c map[string]any) {
			c["resources"] = map[string]any{"requests": map[string]any{"memory": "5Mi"}, "limits": map[string]any{"memory": "10Mi"}}
		})},
		{
			Name:  "kubectl edit, immutable Secrets and ConfigMaps, one by one",
			Wants: func(obj client.Object) bool { return is[*corev1.Secret](obj) || is[*corev1.ConfigMap](obj) },
			Write: immutable, Apart: true,
		},
		{Name: "kubectl replace --force, a RoleBinding to another Role", Wants: is[*rbacv1.RoleBinding], Write: rebind},
	}
}

// twice adds a variable that is there. The last one of a name counts.
func twice(ctx context.Context, c client.Client, obj client.Object) error {
	d := obj.(*appsv1.Deployment)
	first := &d.Spec.Template.Spec.Containers[0]
	first.Env = append(first.Env, corev1.EnvVar{Name: "OPENSHIFT_IMG_OVERRIDES", Value: "quay.io=elsewhere.example.com"})
	return c.Update(ctx, d, client.FieldOwner("kubectl-edit"))
}

func volume(ctx context.Context, c client.Client, obj client.Object) error {
	d := obj.(*appsv1.Deployment)
	for i, v := range d.Spec.Template.Spec.Volumes {
		if v.ConfigMap != nil {
			d.Spec.Template.Spec.Volumes[i].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}
	}
	return c.Update(ctx, d, client.FieldOwner("kubectl-edit"))
}

// immutable replaces every value, for ever.
func immutable(ctx context.Context, c client.Client, obj client.Object) error {
	switch obj := obj.(type) {
	case *corev1.Secret:
		obj.Immutable = new(true)
	case *corev1.ConfigMap:
		obj.Immutable = new(true)
	}
	return data(ctx, c, obj)
}

func rebind(ctx context.Context, c client.Client, obj client.Object) error {
	if err := c.Delete(ctx, obj); err != nil {
		return err
	}
	b := obj.(*rbacv1.RoleBinding)
	b.ResourceVersion, b.UID, b.ManagedFields, b.RoleRef.Name = "", "", nil, "view"
	return c.Create(ctx, b, client.FieldOwner("kubectl-replace"))
}

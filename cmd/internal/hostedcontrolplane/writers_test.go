package hostedcontrolplane_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/writers"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// After any write of somebody else nothing is written a few seconds later, and what
// matters is right: the image, the rules, the pull secrets.
func otherWriters(t *testing.T, p *location) {
	p.create(t, p.hcp())
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.awaitValid(t)
	of := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: p.namespace, Name: name} }
	d := &appsv1.Deployment{ObjectMeta: of(hypershift.IgnitionServer)}
	account := &corev1.ServiceAccount{ObjectMeta: of(hypershift.IgnitionServer)}
	objects := []client.Object{
		d, account,
		&corev1.Service{ObjectMeta: of(hypershift.IgnitionServer)},
		&rbacv1.Role{ObjectMeta: of(hypershift.IgnitionServer)},
		&rbacv1.RoleBinding{ObjectMeta: of(hypershift.IgnitionServer)},
		&corev1.Secret{ObjectMeta: of(hypershift.IgnitionServer)},
		&corev1.Secret{ObjectMeta: of(hypershift.IgnitionAuthority)},
	}
	writers.Peace(t, p.client, objects...)
	overrides, replicas := p.mirrored(), *d.Spec.Replicas
	right := func(t *testing.T, image string) {
		t.Helper()
		cluster.Await(t, "what matters", func(ctx context.Context) error {
			for _, obj := range objects {
				if err := p.client.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
					return err
				}
			}
			pod := d.Spec.Template.Spec
			if got := pod.Containers[0].Image; got != image || *d.Spec.Replicas != replicas || len(pod.Containers) != 1 {
				return fmt.Errorf("image %s, %d replicas, %d containers", got, *d.Spec.Replicas, len(pod.Containers))
			}
			if !slices.Contains(pod.Containers[0].Env, corev1.EnvVar{Name: handover.ImageOverridesVariable, Value: overrides}) {
				return fmt.Errorf("the environment is %v", pod.Containers[0].Env)
			}
			if !slices.Contains(account.ImagePullSecrets, corev1.LocalObjectReference{Name: hypershift.PullSecret}) {
				return fmt.Errorf("pull secrets are %v", account.ImagePullSecrets)
			}
			return nil
		})
	}
	documented := writers.Documented(t, "../../../docs/operators.md", hcpkg.Name)
	for _, other := range writers.All() {
		t.Run(other.Name, func(t *testing.T) {
			other.Check(t, p.client, documented, objects...)
			right(t, operatorImage)
		})
	}
	if len(account.ImagePullSecrets) != 2 {
		t.Errorf("OpenShift's pull secret is gone: %v", account.ImagePullSecrets)
	}
	for _, m := range writers.Mutations() {
		t.Run("webhook for "+m.Name, func(t *testing.T) {
			remove := writers.Webhook(t, p.cluster, m)
			writers.All()[1].Apply(t, p.client, objects...)
			writers.All()[5].Apply(t, p.client, objects...)
			if n, want := writers.Peace(t, p.client, objects...), documented["webhook: "+m.Name]; n != want {
				t.Errorf("%d versions after it, and the document says %d", n, want)
			}
			got := d.Spec.Template.Spec.Containers[0].Image
			if !strings.Contains(got, operatorImage) {
				t.Errorf("the image is %s, want %s", got, operatorImage)
			}
			right(t, got)
			remove()
			writers.All()[5].Apply(t, p.client, objects...) // an occasion to correct what it left
			writers.Peace(t, p.client, objects...)
			right(t, operatorImage)
		})
	}
}

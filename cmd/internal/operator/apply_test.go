package operator

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// New rules are handed to thousands of control planes: for an object with the hash of something
// else nothing is made beyond the request, however many variables the live one has.
func TestApplyComparesNoFieldsInVain(t *testing.T) {
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	deployment := func(variables int) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: "d", UID: "1", ResourceVersion: "5", Annotations: map[string]string{StateHash: stamped + "of something else"}}}
		container := corev1.Container{Name: "c"}
		for i := range variables {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("V", i), Value: "x"})
		}
		d.Spec.Template.Spec.Containers = []corev1.Container{container}
		return d
	}
	allocations := func(variables int) float64 {
		a := &Applier{Client: oneDeployment{scheme: scheme, live: deployment(variables)}, Owner: "me", Settled: NewSettled()}
		desired, rules := deployment(1), 0
		return testing.AllocsPerRun(10, func() {
			rules++
			desired.Spec.Template.Spec.Containers[0].Env[0].Value = fmt.Sprint("rules ", rules)
			if _, err := a.Apply(t.Context(), desired); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, many := allocations(1), allocations(1000); many > few+10 {
		t.Errorf("%.0f allocations for a Deployment with one variable, %.0f for one with a thousand", few, many)
	}
}

// oneDeployment reads one Deployment, which nobody copies, and applies nothing.
type oneDeployment struct {
	client.Client
	scheme *runtime.Scheme
	live   *appsv1.Deployment
}

func (c oneDeployment) Scheme() *runtime.Scheme { return c.scheme }

func (c oneDeployment) Get(_ context.Context, _ client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	*obj.(*appsv1.Deployment) = *c.live
	return nil
}

func (c oneDeployment) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return nil
}

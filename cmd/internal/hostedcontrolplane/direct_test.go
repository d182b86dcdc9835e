package hostedcontrolplane_test

import (
	"context"
	"iter"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// reconcile has a reconciler without a manager or cache, by the operator's account,
// reconcile the HostedControlPlane once for each call. calls intercepts its requests.
func (p *location) reconcile(t *testing.T, calls interceptor.Funcs) func() (ctrl.Result, error) {
	t.Helper()
	plain, err := client.NewWithWatch(p.account(), client.Options{Scheme: p.client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	c := interceptor.NewClient(plain, calls)
	rules := mustRules(t, mirror(policy.PullAny, p.source.Host()+"/ocp/release", p.mirror.Host()+"/mirror/release"))
	current := func() *policy.Rules { return rules }
	row := assembly.ControlPlaneOperator(assembly.Deps{}, nil)
	providers, err := hcpkg.NewProviders(p.base, current, row.Layers, row.Rewrite)
	if err != nil {
		t.Fatal(err)
	}
	r := &hcpkg.Reconciler{
		Client: c, Live: c, Applier: &operator.Applier{Client: c, Owner: hcpkg.Name}, Providers: providers,
		HandedOn: current, Lookups: current, Settings: hcpkg.Settings{Image: imageref.MustParse(operatorImage)},
		Changes: func(ctx context.Context) iter.Seq[*policy.Rules] {
			return func(yield func(*policy.Rules) bool) {
				if yield(rules) {
					<-ctx.Done()
				}
			}
		},
	}
	return func() (ctrl.Result, error) {
		return r.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: p.namespace, Name: "hcp"}})
	}
}

// writes counts the requests that write.
func writes(n *int) interceptor.Funcs {
	return interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			*n++
			return c.Apply(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			*n++
			return c.Delete(ctx, obj, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			*n++
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	}
}

// Who makes the certificates themselves says so in an annotation, and then none is made.
func certificatesOfOthers(t *testing.T, p *location) {
	hcp := p.hcp()
	hcp.Annotations = map[string]string{hyperv1.DisablePKIReconciliationAnnotation: "true"}
	p.create(t, hcp)
	if _, err := p.reconcile(t, interceptor.Funcs{})(); err != nil {
		t.Fatal(err)
	}
	if err := p.get(t.Context(), hypershift.IgnitionServer, &appsv1.Deployment{}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{hypershift.IgnitionServer, hypershift.IgnitionAuthority} {
		if err := p.get(t.Context(), name, &corev1.Secret{}); !apierrors.IsNotFound(err) {
			t.Errorf("Secret %s: %v", name, err)
		}
	}
}

// Two certificates, five objects and the status are one request each, and once they
// are there nothing is written at all.
func nothingToWrite(t *testing.T, p *location) {
	p.create(t, p.hcp())
	n := 0
	reconcile := p.reconcile(t, writes(&n))
	for i, want := range []int{8, 0, 0} {
		n = 0
		if _, err := reconcile(); err != nil {
			t.Fatal(err)
		}
		if n != want {
			t.Errorf("reconciliation %d made %d requests that write, want %d", i+1, n, want)
		}
	}
}

// Nothing is written, and nobody asked, while it is paused.
func paused(t *testing.T, p *location) {
	hcp := p.hcp()
	hcp.Spec.PausedUntil = new("true")
	p.create(t, hcp)
	n := 0
	reconcile := p.reconcile(t, writes(&n))
	for pause, resumes := range map[string]bool{"true": false, "2100-01-01T00:00:00Z": true} {
		p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.PausedUntil = &pause })
		result, err := reconcile()
		if err != nil || n != 0 || result.RequeueAfter > 0 != resumes {
			t.Errorf("paused until %s: %d requests that write, %+v, %v", pause, n, result, err)
		}
	}
	if asked := p.source.Count() + p.mirror.Count(); asked != 0 {
		t.Errorf("%d requests to registries", asked)
	}
	for _, ended := range []string{"false", "2000-01-01T00:00:00Z", "tomorrow"} {
		p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.PausedUntil = &ended })
		n = 0
		if _, err := reconcile(); err != nil || n == 0 {
			t.Errorf("paused until %s: %d requests that write, %v", ended, n, err)
		}
	}
}

// Somebody else writes the status while a reconciliation goes on: both are kept, at
// once.
func statusConflict(t *testing.T, p *location) {
	p.create(t, p.hcp())
	theirs := metav1.Condition{Type: "Theirs", Status: metav1.ConditionTrue, Reason: "AsExpected", LastTransitionTime: metav1.NewTime(time.Unix(1, 0))}
	n, conflicts := 0, 0
	calls := writes(&n)
	plain := calls.SubResourcePatch
	calls.SubResourcePatch = func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
		if conflicts == 0 {
			p.changeStatus(t, func(hcp *hyperv1.HostedControlPlane) { apimeta.SetStatusCondition(&hcp.Status.Conditions, theirs) })
		}
		err := plain(ctx, c, sub, obj, patch, opts...)
		if apierrors.IsConflict(err) {
			conflicts++
		}
		return err
	}
	if _, err := p.reconcile(t, calls)(); err != nil {
		t.Fatal(err)
	}
	if conflicts != 1 {
		t.Errorf("%d conflicts, want 1", conflicts)
	}
	hcp := p.awaitValid(t)
	if apimeta.FindStatusCondition(hcp.Status.Conditions, "Theirs") == nil {
		t.Error("what somebody else wrote is gone")
	}
}

func (p *location) changeStatus(t *testing.T, change func(*hyperv1.HostedControlPlane)) {
	t.Helper()
	hcp := new(hyperv1.HostedControlPlane)
	if err := p.get(t.Context(), "hcp", hcp); err != nil {
		t.Fatal(err)
	}
	before := hcp.DeepCopy()
	change(hcp)
	if err := p.client.Status().Patch(t.Context(), hcp, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

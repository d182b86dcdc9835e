package controller_test

import (
	"context"
	"errors"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// What fails because we end is nobody's fault.
func testOurEnd(p *location) {
	t, r := p.t, p.replica()
	p.token("token-a")
	ctx, cancel := context.WithCancel(t.Context())
	r.make = func(ctx context.Context, _ payload.Inputs) (payload.Result, error) {
		cancel()
		return payload.Result{}, errors.New("the program was killed")
	}
	if _, err := r.reconcile(ctx, "token-a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if s := p.secret("token-a"); len(s.Data[tokens.KeyReason]) != 0 {
		t.Errorf("it says %s %s", s.Data[tokens.KeyReason], s.Data[tokens.KeyMessage])
	}
}

// A process that ended between serving and saying so says it later.
func testUnreported(p *location) {
	r := p.replica()
	s := p.token("token-a", inPlace)
	err := r.store.Set(p.t.Context(), tokens.Payload{Secret: "token-a", Body: []byte(ignition)}, string(s.Data[tokens.KeyToken]))
	if err != nil {
		p.t.Fatal(err)
	}
	r.must("token-a")
	if len(p.awaitReport("token-a", payload.ReasonAsExpected, "").Data[tokens.KeyPayload]) == 0 || r.made.Load() != 0 {
		p.t.Errorf("no payload is in the secret, or it was made anew")
	}
}

func testCondition(p *location) {
	t, r := p.t, p.replica()
	condition := func() *metav1.Condition {
		var hcp hyperv1.HostedControlPlane
		if err := p.get("hcp", &hcp); err != nil {
			t.Fatal(err)
		}
		return apimeta.FindStatusCondition(hcp.Status.Conditions, string(hyperv1.IgnitionServerValidReleaseInfo))
	}
	p.token("token-a")
	p.token("token-b")
	r.make = func(_ context.Context, in payload.Inputs) (payload.Result, error) {
		if in.Name == "token-a" {
			return payload.Result{}, &payload.Error{Reason: payload.ReasonInvalidConfig, Missing: []string{"x", "a"}, Err: errors.New("no image")}
		}
		return payload.Result{Ignition: []byte(ignition), Missing: []string{"b"}}, nil
	}
	for range 5 {
		_, _ = r.reconcile(t.Context(), "token-a")
	}
	if c := condition(); c == nil || c.Status != metav1.ConditionFalse || c.Reason != hyperv1.MissingReleaseImagesReason || c.Message != "a, x" {
		t.Errorf("got %+v", c)
	}
	writes := func() int { return r.counts.of("PATCH", "/hostedcontrolplanes/hcp/status") }
	if n := writes(); n != 1 {
		t.Errorf("%d writes for one change", n)
	}
	r.must("token-b")
	if c := condition(); c.Message != "a, b, x" || writes() != 2 {
		t.Errorf("got %+v after %d writes", c, writes())
	}
	p.delete(p.secret("token-a"))
	r.must("token-a")
	if c := condition(); c.Message != "b" || writes() != 3 {
		t.Errorf("got %+v after %d writes", c, writes())
	}
	p.token("token-c")
	p.delete(p.secret("token-b"))
	r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{Ignition: []byte(ignition)}, nil
	}
	r.must("token-b")
	r.must("token-c")
	if c := condition(); c.Status != metav1.ConditionTrue || c.Reason != hyperv1.AsExpectedReason || c.ObservedGeneration != 1 {
		t.Errorf("got %+v", c)
	}
}

// Once the only Secret is gone whose release lacked something, nothing is missing.
func testConditionRecovers(p *location) {
	t, r := p.t, p.replica()
	r.make = func(context.Context, payload.Inputs) (payload.Result, error) {
		return payload.Result{}, &payload.Error{Reason: payload.ReasonInvalidConfig, Missing: []string{"x"}, Err: errors.New("no image")}
	}
	s := p.token("token-a")
	_, _ = r.reconcile(t.Context(), "token-a")
	if c := p.releaseInfo(); c == nil || c.Status != metav1.ConditionFalse {
		t.Fatalf("got %+v", c)
	}
	p.delete(s)
	for range 2 {
		r.must("token-a")
	}
	if c := p.releaseInfo(); c.Status != metav1.ConditionTrue || c.Reason != hyperv1.AsExpectedReason {
		t.Errorf("got %+v", c)
	}
	if n := r.counts.of("PATCH", "/hostedcontrolplanes/hcp/status"); n != 2 {
		t.Errorf("%d writes; want 2", n)
	}
}

func (p *location) releaseInfo() *metav1.Condition {
	p.t.Helper()
	var hcp hyperv1.HostedControlPlane
	if err := p.get("hcp", &hcp); err != nil {
		p.t.Fatal(err)
	}
	return apimeta.FindStatusCondition(hcp.Status.Conditions, string(hyperv1.IgnitionServerValidReleaseInfo))
}

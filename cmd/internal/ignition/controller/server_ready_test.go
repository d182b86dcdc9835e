package controller_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// A server takes over once the Secrets that were there had their turn, or patience is
// over. Booting nodes are served by the one before it until then.
func testReady(p *location) {
	t := p.t
	ready := func(r *running) error {
		status, err := r.status("/healthz")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("/healthz says %d", status)
		}
		return err
	}
	hung := testregistry.Match{Repository: machineconfig.MirroredRelease}
	remove := p.mirror.Fail(hung, testregistry.Hang())
	secret := p.token("token-a")
	r := p.run()
	if err := p.mirror.Wait(t.Context(), 1, hung); err != nil {
		t.Fatal(err)
	}
	if status, err := r.status("/healthz"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("/healthz says %d, %v before there is a payload", status, err)
	}
	impatient := p.run(func(proc *controller.Process) { proc.ReadyWithin = time.Nanosecond })
	if err := ready(impatient); err != nil {
		t.Errorf("patience does not end: %v", err)
	}
	impatient.stop()
	r.stop()
	remove()
	r = p.run()
	cluster.Await(t, "the server to be ready", func(context.Context) error { return ready(r) })
	// At once: the first answer, not one that is waited for.
	if status, _, err := r.node(string(secret.Data[tokens.KeyToken])); err != nil || status != http.StatusOK {
		t.Errorf("a node gets %d, %v", status, err)
	}
	r.stop()
	// One that fails, and one that is gone, had their turn; and with none there is none to wait for.
	change(p, new(corev1.Secret), "token-a", func(s *corev1.Secret) { s.Data[tokens.KeyConfig] = []byte("broken") })
	second := p.run()
	cluster.Await(t, "the server to be ready in spite of a failure", func(context.Context) error { return ready(second) })
	second.stop()
	p.delete(secret)
	alone := p.run()
	cluster.Await(t, "the server to be ready without a Secret", func(context.Context) error { return ready(alone) })
}

// Payloads that take their time, and those that wait for them, hold nothing else up.
func testSlowPayloads(p *location) {
	hung := testregistry.Match{Repository: machineconfig.MirroredRelease}
	remove := p.mirror.Fail(hung, testregistry.Hang())
	r := p.run(func(proc *controller.Process) { proc.Options.Parallel = 1 })
	for i := range 8 {
		p.token(fmt.Sprintf("token-%d", i))
	}
	if err := p.mirror.Wait(p.t.Context(), 1, hung); err != nil {
		p.t.Fatal(err)
	}
	p.token("token-expired", func(s *corev1.Secret) { s.Annotations[tokens.AnnotationExpires] = "long ago" })
	cluster.Await(p.t, "the expired secret to be deleted", func(context.Context) error {
		if err := p.get("token-expired", new(corev1.Secret)); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there: %v", err)
		}
		return nil
	})
	if n := r.value("ign_server_payload_cache_miss_total"); n != 1 {
		p.t.Errorf("%v payloads were begun; want 1", n)
	}
	remove()
	for i := range 8 {
		p.awaitReport(fmt.Sprintf("token-%d", i), payload.ReasonAsExpected, "")
	}
}

// What an earlier process said is missing is not missing for ever.
func testConditionOfBefore(p *location) {
	r := p.run()
	p.token("token-broken")
	p.token("token-kept")
	p.awaitReport("token-kept", payload.ReasonAsExpected, "")
	p.awaitReport("token-broken", payload.ReasonAsExpected, "")
	r.stop()
	say := func() {
		p.t.Helper()
		var hcp hyperv1.HostedControlPlane
		if err := p.get("hcp", &hcp); err != nil {
			p.t.Fatal(err)
		}
		apimeta.SetStatusCondition(&hcp.Status.Conditions, metav1.Condition{
			Type: string(hyperv1.IgnitionServerValidReleaseInfo), Status: metav1.ConditionFalse,
			Reason: hyperv1.MissingReleaseImagesReason, Message: "x",
		})
		if err := p.client.Status().Update(p.t.Context(), &hcp); err != nil {
			p.t.Fatal(err)
		}
	}
	recovers := func(what string) {
		p.t.Helper()
		cluster.Await(p.t, "the condition "+what, func(context.Context) error {
			if c := p.releaseInfo(); c.Status != metav1.ConditionTrue {
				return fmt.Errorf("%s %q", c.Status, c.Message)
			}
			return nil
		})
	}
	say()
	p.delete(p.secret("token-broken"))
	second := p.run(func(proc *controller.Process) { proc.Options.WorkDir = r.workDir })
	recovers("with what is stored")
	second.stop()
	say()
	p.delete(p.secret("token-kept"))
	p.run()
	recovers("without a Secret")
}

// R8: without an API server what was made before is served; what is new comes when it
// is back.
func TestR8APIServerAway(t *testing.T) {
	s := newSite(t)
	p := s.location(t)
	r := p.run()
	kept := string(p.token("token-kept").Data[tokens.KeyToken])
	p.awaitReport("token-kept", payload.ReasonAsExpected, "")

	// Away later.
	s.cluster.StopAPI(t)
	if status, _, err := r.node(kept); err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v", status, err)
	}
	// Away when it starts.
	r.lossy = true // nobody is there to be told that the token was used
	r.stop()
	second := p.run(func(proc *controller.Process) { proc.Options.WorkDir = r.workDir })
	second.await(kept)
	s.cluster.StartAPI(t)
	p.token("token-new")
	p.awaitReport("token-new", payload.ReasonAsExpected, "")
	cluster.Await(t, "the annotation that could not be written", func(context.Context) error {
		if p.secret("token-kept").Annotations[tokens.AnnotationReached] != "True" {
			return errors.New("not annotated")
		}
		return nil
	})
	if n := second.value("ign_server_payload_cache_miss_total"); n != 1 {
		t.Errorf("%v payloads were made; want 1", n)
	}
	s.cluster.StopAPI(t)
	s.cluster.StartAPI(t)
	p.token("token-newer")
	p.awaitReport("token-newer", payload.ReasonAsExpected, "")
	second.stop()
	p.untouched()
}

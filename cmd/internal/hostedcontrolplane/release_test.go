package hostedcontrolplane_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/signing"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// A release has to be signed where the hypershift-operator hands on that it has to; the
// condition says why it is refused.
func signedRelease(t *testing.T, p *location) {
	key, repository := signing.NewSigstore(t), p.source.Host()+"/ocp/release"
	flags := operator.SignatureFlags{Mode: "next", Policies: []string{key.PolicyFile(t, repository)}}
	asked, err := flags.Read(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	document, err := asked.HandOn(p.namespace) // as the hypershift-operator does
	if err != nil {
		t.Fatal(err)
	}
	if p.signatures, err = new(operator.SignatureFlags).ReadHanded(document, nil); err != nil {
		t.Fatal(err)
	}
	p.create(t, p.hcp())
	stop := p.run(t, nil, hcpkg.Options{})
	_, message := p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hypershift.SignatureRefusedReason)
	if !strings.Contains(message, "a signature is required, and there is none") {
		t.Errorf("the message is %q", message)
	}
	stop() // and with it what it remembers
	p.source.Push("ocp/release", sigstore.Tag(p.digest), key.Image(t, p.digest, repository+":4.17.3"))
	p.run(t, nil, hcpkg.Options{})
	p.awaitValid(t)
}

// Rules that are changed because no registry answers are handed on though none does.
func unreadableReleaseHandsOn(t *testing.T, p *location) {
	p.source.Down()
	p.mirror.Down()
	p.create(t, p.hcp())
	stop := p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	p.await(t, string(hyperv1.ValidReleaseInfo), metav1.ConditionUnknown, hcpkg.ReasonLookupFailed)
	handedOn := func() string {
		value, _ := envOf(hcpkg.Overrides{Env: envVars(p.deployment(t))}, handover.ImageOverridesVariable)
		return value
	}
	if got := handedOn(); got != p.mirrored() {
		t.Errorf("handed on %q, want %q", got, p.mirrored())
	}
	p.await(t, string(hypershift.OverridesHandedOver), metav1.ConditionTrue, hyperv1.AsExpectedReason)
	stop() // as its Deployment is rolled out with the new rules
	const other = "quay.io=mirror.example.com/quay"
	p.run(t, map[string]string{handover.ImageOverridesVariable: other}, hcpkg.Options{})
	cluster.Await(t, "the new rules", func(context.Context) error {
		if got := handedOn(); got != other {
			return fmt.Errorf("handed on %q, want %q", got, other)
		}
		return nil
	})
	if d := p.deployment(t); d.Generation != 2 {
		t.Errorf("generation %d, want 2", d.Generation)
	}
}

// finishRollout says what the controllers of a real cluster would say of the
// Deployment when its pods are there.
func (p *location) finishRollout(t *testing.T) {
	t.Helper()
	d := p.deployment(t)
	before := d.DeepCopy()
	n := *d.Spec.Replicas
	d.Status.ObservedGeneration = d.Generation
	d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas, d.Status.AvailableReplicas = n, n, n, n
	if err := p.client.Status().Patch(t.Context(), d, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// awaitHistory returns the status once its history is as wanted, times apart.
func (p *location) awaitHistory(t *testing.T, want ...configv1.UpdateHistory) *hyperv1.ClusterVersionStatus {
	t.Helper()
	hcp := new(hyperv1.HostedControlPlane)
	cluster.Await(t, "the history", func(ctx context.Context) error {
		if err := p.get(ctx, "hcp", hcp); err != nil {
			return err
		}
		if hcp.Status.VersionStatus == nil {
			return fmt.Errorf("no version in %+v", hcp.Status)
		}
		var got []configv1.UpdateHistory
		for _, h := range hcp.Status.VersionStatus.History {
			got = append(got, configv1.UpdateHistory{State: h.State, Version: h.Version, Image: h.Image})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
	for i, h := range hcp.Status.VersionStatus.History {
		if going := i == 0 && h.State == configv1.PartialUpdate; going != (h.CompletionTime == nil) || h.StartedTime.IsZero() {
			t.Errorf("update %d, %s, started %v and ended %v", i, h.State, h.StartedTime, h.CompletionTime)
		}
	}
	return hcp.Status.VersionStatus
}

// The history is that of a cluster version: the newest first, by digest, Partial until
// it was rolled out once.
func history(t *testing.T, p *location) {
	entry := func(state configv1.UpdateState, version, image string) configv1.UpdateHistory {
		return configv1.UpdateHistory{State: state, Version: version, Image: image}
	}
	hcp := p.hcp()
	hcp.Spec.ReleaseImage = p.source.Host() + "/ocp/release:4.17.3"
	p.create(t, hcp)
	p.run(t, map[string]string{handover.ImageOverridesVariable: p.mirrored()}, hcpkg.Options{})
	status := p.awaitHistory(t, entry(configv1.PartialUpdate, "4.17.3", p.image()))
	if got := status.Desired.Image; got != hcp.Spec.ReleaseImage {
		t.Errorf("desired is %s, want %s as the spec has it", got, hcp.Spec.ReleaseImage)
	}
	p.finishRollout(t)
	p.awaitHistory(t, entry(configv1.CompletedUpdate, "4.17.3", p.image()))

	// The same image by another name is no update, and what was done once stays done.
	p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.ReleaseImage = p.image() })
	p.awaitValid(t)
	p.awaitHistory(t, entry(configv1.CompletedUpdate, "4.17.3", p.image()))

	r := p.release
	r.Version = "4.17.4"
	second := p.source.ByDigest("ocp/release", p.push(r)).String()
	p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.ReleaseImage = second })
	p.awaitHistory(t, entry(configv1.PartialUpdate, "4.17.4", second), entry(configv1.CompletedUpdate, "4.17.3", p.image()))
	p.change(t, func(hcp *hyperv1.HostedControlPlane) { hcp.Spec.ReleaseImage = p.image() })
	p.awaitHistory(t, entry(configv1.PartialUpdate, "4.17.3", p.image()),
		entry(configv1.PartialUpdate, "4.17.4", second), entry(configv1.CompletedUpdate, "4.17.3", p.image()))
	p.finishRollout(t)
	p.awaitHistory(t, entry(configv1.CompletedUpdate, "4.17.3", p.image()),
		entry(configv1.PartialUpdate, "4.17.4", second), entry(configv1.CompletedUpdate, "4.17.3", p.image()))
}

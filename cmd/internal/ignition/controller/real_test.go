package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/controller"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
)

// With the programs of a release themselves: a node gets what they made, and what they find
// wrong with a configuration is in the token Secret that has it.
func TestRealPrograms(t *testing.T) {
	real := machineconfig.NewReal(t)
	p := newSite(t).location(t)
	var err error
	if p.images, err = real.Release(t, p.source.Host()).Images(); err != nil {
		t.Fatal(err)
	}
	p.images.PushTo(p.mirror.Push)
	change(p, new(corev1.ConfigMap), "machine-config-server", func(cm *corev1.ConfigMap) {
		cm.Data = machineconfig.RealConfigMap(string(p.mirror.CA().PEM()), nil)
	})
	r := p.run(func(proc *controller.Process) {
		proc.Options.FeatureGate = p.file("gate.yaml", machineconfig.FeatureGate+"spec: {}\n")
	})
	config := func(text string) func(*corev1.Secret) {
		return func(s *corev1.Secret) { s.Data[tokens.KeyConfig] = zipped(t, text) }
	}
	good := p.token("token-good", config(""))
	p.token("token-bad", config("apiVersion: machineconfiguration.openshift.io/v1\nkind: KubeletConfig\nmetadata: {name: own}\nspec:\n"+
		"  machineConfigPoolSelector:\n    matchLabels: {machineconfiguration.openshift.io/mco-built-in: \"\"}\n  kubeletConfig: {clusterDomain: other.local}\n"))
	var body []byte
	cluster.Await(t, "a payload", func(context.Context) error {
		status, b, err := r.node(string(good.Data[tokens.KeyToken]))
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("status %d, %v", status, err)
		}
		body = b
		return nil
	})
	if err := real.Validate(t.Context(), body); err != nil {
		t.Errorf("nodes refuse the config: %v", err)
	}
	if ignition, err := machineconfig.Parse(body); err != nil || ignition.Files["etc/kubernetes/kubelet.conf"] == "" || len(ignition.Units) == 0 {
		t.Errorf("%v, or a file or the units are missing", err)
	}
	p.awaitReport("token-good", payload.ReasonAsExpected, "")
	p.awaitReport("token-bad", payload.ReasonInvalidConfig, "KubeletConfiguration: clusterDomain is not allowed to be set, but contains: other.local")
	p.untouched()
}

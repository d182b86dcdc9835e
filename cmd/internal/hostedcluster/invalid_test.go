package hostedcluster

import (
	"net/http"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

const icspCRD = "operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml"

// A policy with a mistake in it keeps no operator from starting: it is not ready, the
// conditions name the policy, and the edit that mends it is all that it takes.
func TestStartWithInvalidPolicy(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, icspCRD))
	policy := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "operator.openshift.io/v1alpha1", "kind": "ImageContentSourcePolicy", "metadata": map[string]any{"name": "bad"},
	}}
	says := func(p *unstructured.Unstructured, source string) {
		p.Object["spec"] = map[string]any{"repositoryDigestMirrors": []any{
			map[string]any{"source": source, "mirrors": []any{w.mirror.Host() + "/mirror/release"}},
		}}
	}
	says(policy, "https://quay.io/x")
	hc := w.hostedCluster("one")
	w.create(t, policy, w.pullSecret(w.auth(password)), hc)
	health := process.FreeAddress(t)
	w.operate(t, func(o *Options) { o.HealthAddr = health })
	ready(t, health, http.StatusInternalServerError)
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "bad")
	change(t, w, policy, func(p *unstructured.Unstructured) { says(p, source) })
	w.cpo(t, hc, overridesAre(source+"="+w.mirror.Host()+"/mirror/release"))
	ready(t, health, http.StatusOK)
}

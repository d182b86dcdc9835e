package hostedcontrolplane

import (
	"fmt"

	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// How the feature gate comes to the ignition server: the init container runs the
// subcommand WriteFeatureGate with FeatureGateFile as its argument and the YAML in
// FeatureGateEnv.
const (
	WriteFeatureGate = "write-feature-gate"
	FeatureGateEnv   = "FEATURE_GATE_YAML"
	FeatureGateFile  = "/shared/99_feature-gate.yaml"
)

// featureGate returns the FeatureGate of the hosted cluster, as YAML.
func featureGate(hcp *hyperv1.HostedControlPlane) (string, error) {
	gate := configv1.FeatureGate{
		TypeMeta:   metav1.TypeMeta{APIVersion: configv1.GroupVersion.String(), Kind: "FeatureGate"},
		ObjectMeta: metav1.ObjectMeta{Name: "cluster"},
	}
	if c := hcp.Spec.Configuration; c != nil && c.FeatureGate != nil {
		gate.Spec = *c.FeatureGate
	}
	text, err := yaml.Marshal(gate)
	if err != nil {
		return "", fmt.Errorf("writing the feature gate of %s/%s: %w", hcp.Namespace, hcp.Name, err)
	}
	return string(text), nil
}

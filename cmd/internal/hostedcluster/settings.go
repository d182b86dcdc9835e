package hostedcluster

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Handover is how a control plane gets the mirror rules.
type Handover string

const (
	// HandoverEnv is HyperShift's: the environment of the control-plane-operator. A
	// change of the rules restarts it.
	HandoverEnv Handover = "env"
	// HandoverConfigMap is a ConfigMap that is mounted and followed live: a change of
	// the rules changes no Deployment.
	HandoverConfigMap Handover = "configmap"
)

// ParseHandover reads the value of --override-handover.
func ParseHandover(s string) (Handover, error) {
	switch h := Handover(s); h {
	case HandoverEnv, HandoverConfigMap:
		return h, nil
	}
	return "", fmt.Errorf("override hand-over %q: want %s or %s", s, HandoverEnv, HandoverConfigMap)
}

// Settings are what the operator's flags and environment say about every control
// plane. The zero value works but for OperatorImage.
type Settings struct {
	// OperatorImage is this operator's own image: that of the control-plane-operator
	// where nothing else names one. Required.
	OperatorImage string
	// ControlPlaneOperatorImage goes before the image of the release, after the
	// annotation of the HostedCluster.
	ControlPlaneOperatorImage string
	// Supported are the versions of releases that are rolled out; zero is DefaultVersions.
	Supported VersionRange
	// Handover is how rules are handed on; "" is HandoverEnv.
	Handover Handover
	// EnableCIDebugOutput is passed on.
	EnableCIDebugOutput bool
	// CertRotationScale is passed on; 0 is 24 h.
	CertRotationScale time.Duration
	// FeatureSet is passed on; "" is the default set.
	FeatureSet string
	// MetricsSet is passed on; "" is Telemetry.
	MetricsSet string
	// PassedOn are variables of this process that control-plane-operators get, in their order:
	// HTTP_PROXY and the like, and those that HyperShift's expects.
	PassedOn []corev1.EnvVar
	// OptOut says whether HostedClusters may choose their mirrors; "" is OptOutDenied.
	OptOut OptOut
	// UnblockOnOptOut says that what a HostedCluster ignores of the management policies
	// blocks nothing there: neither NeverContactSource nor blocked registries.
	UnblockOnOptOut bool
	// HandOverMirrorCredentials has control planes get the operator's own credentials for
	// mirrors, as far as their rules name the mirrors.
	HandOverMirrorCredentials bool
	// RefuseNetworks is --refuse-networks of this process, passed on; "" is none.
	RefuseNetworks string
}

// passedOn returns the variables of the environment that HyperShift's operator passes on to
// its control-plane-operator: switches where they are on, and others where they are set,
// as it writes that Deployment.
func passedOn(lookup func(string) (string, bool)) (vars []corev1.EnvVar) {
	for _, v := range []struct {
		name  string
		isOne bool // only "1" counts
	}{
		{"RHOBS_MONITORING", true},
		{"ENABLE_SIZE_TAGGING", true},
		{"IMAGE_KONNECTIVITY", false},
		{"ENABLE_CVO_MANAGEMENT_CLUSTER_METRICS_ACCESS", true},
		{"CVO_PROMETHEUS_URL", false},
		{"KUBE_FEATURE_WatchListClient", false},
		{"MANAGED_SERVICE", false},
		{"DEFAULT_INGRESS_DOMAIN", false},
		{"ARO_HCP_KEY_VAULT_USER_CLIENT_ID", false},
	} {
		if value, _ := lookup(v.name); value == "1" || value != "" && !v.isOne {
			vars = append(vars, corev1.EnvVar{Name: v.name, Value: value})
		}
	}
	return vars
}

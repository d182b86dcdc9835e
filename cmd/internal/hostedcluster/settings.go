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
	// where nothing else names one, and the utilities image. Required.
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
	// Proxy are HTTP_PROXY and the like of this process, passed on. In their order.
	Proxy []corev1.EnvVar
	// RefuseNetworks is --refuse-networks of this process, passed on; "" is none.
	RefuseNetworks string
}

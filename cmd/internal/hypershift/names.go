package hypershift

import (
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"k8s.io/apimachinery/pkg/types"
)

// Names of the operators. Each is also the name of their Deployment, ServiceAccount, Role
// and lease, and the owner of the fields that they write.
const (
	HypershiftOperator   = "hypershift-operator"
	ControlPlaneOperator = "control-plane-operator"
	IgnitionServer       = "ignition-server"
)

// Objects of a control plane namespace (HyperShift's controllers/manifests), and their
// keys.
const (
	PullSecret    = "pull-secret"
	PullSecretKey = ".dockerconfigjson"

	SSHKey    = "ssh-key"
	SSHKeyKey = "id_rsa.pub"

	// UserCABundle is the copy of the HostedCluster's additional CA bundle.
	UserCABundle = "user-ca-bundle"
	// ManagedCABundle is that of the management cluster.
	ManagedCABundle = "openshift-config-managed-trusted-ca-bundle"
	CABundleKey     = "ca-bundle.crt"

	// IgnitionAuthority is the Secret of the authority that signs the certificate in the
	// Secret [IgnitionServer].
	IgnitionAuthority = "ignition-server-ca-cert"
)

// ControlPlaneLabel is on every control plane namespace, with the value "true", and on
// every pod in one, with the name of the namespace.
const ControlPlaneLabel = "hypershift.openshift.io/hosted-control-plane"

// ManagementAPILabel is on pods that ask the API server of the management cluster, with the
// value "true". A NetworkPolicy of HyperShift, management-kas, keeps all others in a control
// plane namespace from it, and stays when a control plane is taken over.
const ManagementAPILabel = "hypershift.openshift.io/need-management-kas-access"

// ControlPlaneNamespace returns the namespace of hc's control plane.
func ControlPlaneNamespace(hc *hyperv1.HostedCluster) string {
	return ControlPlaneNamespaceOf(types.NamespacedName{Namespace: hc.Namespace, Name: hc.Name})
}

// ControlPlaneNamespaceOf returns [ControlPlaneNamespace] of the HostedCluster of that name.
func ControlPlaneNamespaceOf(hc types.NamespacedName) string {
	return hc.Namespace + "-" + strings.ReplaceAll(hc.Name, ".", "-")
}

// ControlPlaneRelease returns the release image of hc's control plane, which may be named
// apart from that of the nodes.
func ControlPlaneRelease(hc *hyperv1.HostedCluster) string {
	if r := hc.Spec.ControlPlaneRelease; r != nil && r.Image != "" {
		return r.Image
	}
	return hc.Spec.Release.Image
}

// OperatedRelease returns the [ControlPlaneRelease] as a HostedControlPlane has it.
func OperatedRelease(hcp *hyperv1.HostedControlPlane) string {
	if image := hcp.Spec.ControlPlaneReleaseImage; image != nil && *image != "" {
		return *image
	}
	return hcp.Spec.ReleaseImage
}

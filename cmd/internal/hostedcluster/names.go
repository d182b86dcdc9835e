package hostedcluster

import (
	"fmt"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Owner is the operator's name: field owner, lease and label of what it writes.
const Owner = "hypershift-operator"

// Objects in the control plane namespace. The names are HyperShift's.
const (
	cpoName     = "control-plane-operator"
	pullSecret  = "pull-secret"
	sshKey      = "ssh-key"
	trustBundle = "user-ca-bundle"
	// managedTrust is the management cluster's, and not written here.
	managedTrust = "openshift-config-managed-trusted-ca-bundle"
)

// Keys of those objects.
const (
	pullSecretKey  = ".dockerconfigjson"
	sshKeyKey      = "id_rsa.pub"
	trustBundleKey = "ca-bundle.crt"
)

// clusterAnnotation on every object says which HostedCluster it is of: NAMESPACE/NAME.
const clusterAnnotation = hyperv1.HostedClusterLabel

// managedBy is on everything written here, so that nothing else needs to be cached.
const managedBy = "app.kubernetes.io/managed-by"

// ControlPlaneNamespace is the namespace of a HostedCluster's control plane
// (HyperShift's controllers/manifests).
func ControlPlaneNamespace(hc *hyperv1.HostedCluster) string {
	return hc.Namespace + "-" + strings.ReplaceAll(hc.Name, ".", "-")
}

// controlPlaneRelease is the release image of the control plane.
func controlPlaneRelease(hc *hyperv1.HostedCluster) string {
	if r := hc.Spec.ControlPlaneRelease; r != nil && r.Image != "" {
		return r.Image
	}
	return hc.Spec.Release.Image
}

// meta is that of an object in the control plane namespace.
func meta(hc *hyperv1.HostedCluster, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:   ControlPlaneNamespace(hc),
		Name:        name,
		Labels:      map[string]string{managedBy: Owner},
		Annotations: map[string]string{clusterAnnotation: client.ObjectKeyFromObject(hc).String()},
	}
}

// clusterOf is the HostedCluster that obj was written for.
func clusterOf(obj client.Object) (client.ObjectKey, error) {
	text := obj.GetAnnotations()[clusterAnnotation]
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" {
		return client.ObjectKey{}, fmt.Errorf("annotation %s is %q, want NAMESPACE/NAME", clusterAnnotation, text)
	}
	return client.ObjectKey{Namespace: namespace, Name: name}, nil
}

// isOf reports whether obj was written for hc.
func isOf(obj client.Object, hc *hyperv1.HostedCluster) bool {
	owner, err := clusterOf(obj)
	return err == nil && owner == client.ObjectKeyFromObject(hc)
}

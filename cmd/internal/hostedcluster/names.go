package hostedcluster

import (
	"fmt"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// Owner is the operator's name: field owner, lease and label of what it writes.
const Owner = hypershift.HypershiftOperator

// clusterAnnotation on every object says which HostedCluster it is of: NAMESPACE/NAME.
const clusterAnnotation = hyperv1.HostedClusterLabel

// managedBy is on everything written here, so that nothing else needs to be cached.
const managedBy = "app.kubernetes.io/managed-by"

// meta returns the metadata of an object in the control plane namespace.
func meta(hc *hyperv1.HostedCluster, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:   hypershift.ControlPlaneNamespace(hc),
		Name:        name,
		Labels:      map[string]string{managedBy: Owner},
		Annotations: map[string]string{clusterAnnotation: client.ObjectKeyFromObject(hc).String()},
	}
}

// clusterOf returns the HostedCluster that obj was written for. It fails for what is not in, or
// is not, the namespace of its control plane, whatever it says: anybody can copy a Secret with its
// annotations.
func clusterOf(obj client.Object) (client.ObjectKey, error) {
	text := obj.GetAnnotations()[clusterAnnotation]
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" {
		return client.ObjectKey{}, fmt.Errorf("annotation %s is %q, want NAMESPACE/NAME", clusterAnnotation, text)
	}
	key := client.ObjectKey{Namespace: namespace, Name: name}
	in := obj.GetNamespace()
	if in == "" {
		in = obj.GetName()
	}
	if want := hypershift.ControlPlaneNamespaceOf(key); in != want {
		return client.ObjectKey{}, fmt.Errorf("annotation %s is %q, whose control plane is in namespace %s, and not in %s", clusterAnnotation, text, want, in)
	}
	return key, nil
}

// isOf reports whether obj was written for hc.
func isOf(obj client.Object, hc *hyperv1.HostedCluster) bool {
	owner, err := clusterOf(obj)
	return err == nil && owner == client.ObjectKeyFromObject(hc)
}

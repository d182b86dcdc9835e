package hostedcontrolplane

import (
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// program is the operator's in its image, of which the ignition server is a
// subcommand.
const program = "/usr/bin/control-plane-operator"

const (
	managedByLabel   = "hypershift.openshift.io/managed-by"
	managedBy        = hypershift.ControlPlaneOperator
	clusterNode      = "hypershift.openshift.io/cluster"
	controlPlaneNode = "hypershift.openshift.io/control-plane"
)

// IgnitionConfig determines the ignition server's objects. Equal values make equal
// objects.
type IgnitionConfig struct {
	// HCP is the HostedControlPlane that owns them.
	HCP *hyperv1.HostedControlPlane
	// Overrides are the rules that are handed on.
	Overrides Overrides
	// Image is that of the ignition server and of the init container which writes the
	// feature gate: the operator's own.
	Image string
	// Env is added to the container's: the proxies of the operator itself.
	Env []corev1.EnvVar
	// UID is the user that the pod runs as; nil leaves it to the cluster.
	UID *int64
}

// Objects returns all objects of the ignition server but its Secrets, in the order in
// which they are created.
func (c IgnitionConfig) Objects() ([]client.Object, error) {
	deployment, err := c.Deployment()
	if err != nil {
		return nil, err
	}
	return []client.Object{c.ServiceAccount(), c.Role(), c.RoleBinding(), c.Service(), deployment}, nil
}

// meta returns the metadata of an object of HCP.
func meta(hcp *hyperv1.HostedControlPlane, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: hcp.Namespace,
		Labels:          map[string]string{managedByLabel: managedBy},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(hcp, hyperv1.GroupVersion.WithKind("HostedControlPlane"))},
	}
}

// ServiceAccount returns the account that the pod runs as.
func (c IgnitionConfig) ServiceAccount() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		TypeMeta:         metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:       meta(c.HCP, hypershift.IgnitionServer),
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: hypershift.PullSecret}},
	}
}

// IgnitionRules returns what the ignition server may do in its namespace. Whoever creates
// the Role must be allowed to do the same.
func IgnitionRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		// Token secrets are rotated and deleted.
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch", "update", "patch", "delete"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		{APIGroups: []string{hyperv1.GroupVersion.Group}, Resources: []string{"hostedcontrolplanes"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{hyperv1.GroupVersion.Group}, Resources: []string{"hostedcontrolplanes/status"}, Verbs: []string{"get", "patch", "update"}},
	}
}

// Role holds [IgnitionRules].
func (c IgnitionConfig) Role() *rbacv1.Role {
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: meta(c.HCP, hypershift.IgnitionServer),
		Rules:      IgnitionRules(),
	}
}

// RoleBinding gives the Role to the ServiceAccount.
func (c IgnitionConfig) RoleBinding() *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta(c.HCP, hypershift.IgnitionServer),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: hypershift.IgnitionServer},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: hypershift.IgnitionServer, Namespace: c.HCP.Namespace}},
	}
}

// Service returns the Service at which nodes and routes find the server.
func (c IgnitionConfig) Service() *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(c.HCP, hypershift.IgnitionServer),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: map[string]string{"app": hypershift.IgnitionServer},
			Ports:    []corev1.ServicePort{{Name: "https", Port: 443, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(9090)}},
		},
	}
}

// IgnitionHosts returns the names and addresses by which nodes ask the server: those of
// the Service, and that of the route or node port where the HostedControlPlane
// names one.
func IgnitionHosts(hcp *hyperv1.HostedControlPlane) []string {
	hosts := []string{
		hypershift.IgnitionServer,
		hypershift.IgnitionServer + "." + hcp.Namespace,
		hypershift.IgnitionServer + "." + hcp.Namespace + ".svc",
		hypershift.IgnitionServer + "." + hcp.Namespace + ".svc.cluster.local",
	}
	for _, s := range hcp.Spec.Services {
		if s.Service != hyperv1.Ignition {
			continue
		}
		if s.Route != nil && s.Route.Hostname != "" {
			hosts = append(hosts, s.Route.Hostname)
		}
		if s.NodePort != nil && s.NodePort.Address != "" {
			hosts = append(hosts, s.NodePort.Address)
		}
	}
	return hosts
}

// Disabled reports whether the HostedControlPlane wants no ignition server.
func Disabled(hcp *hyperv1.HostedControlPlane) bool {
	_, ok := hcp.Annotations[hyperv1.DisableIgnitionServerAnnotation]
	return ok
}

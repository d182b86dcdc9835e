package hostedcluster

import (
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

func serviceAccount(hc *hyperv1.HostedCluster) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta:       meta(hc, cpoName),
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: pullSecret}},
	}
}

// role is what the control-plane-operator may do in its namespace. Whoever creates a
// Role must hold its rules: so these include those that it gives the ignition server,
// and this operator's own role must include these.
func role(hc *hyperv1.HostedCluster) *rbacv1.Role {
	read := []string{"get", "list", "watch"}
	manage := []string{"get", "list", "watch", "create", "update", "patch", "delete"}
	hypershift := []string{hyperv1.GroupVersion.Group}
	return &rbacv1.Role{ObjectMeta: meta(hc, cpoName), Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "services", "serviceaccounts"}, Verbs: manage},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: read},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch", "update"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: manage},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: manage},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update", "patch"}},
		{APIGroups: hypershift, Resources: []string{"hostedcontrolplanes"}, Verbs: read},
		{APIGroups: hypershift, Resources: []string{"hostedcontrolplanes/status"}, Verbs: []string{"get", "patch", "update"}},
		// To own objects in a way that blocks the owner's deletion.
		{APIGroups: hypershift, Resources: []string{"hostedcontrolplanes/finalizers"}, Verbs: []string{"update"}},
	}}
}

func roleBinding(hc *hyperv1.HostedCluster) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: meta(hc, cpoName),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: cpoName},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: cpoName, Namespace: ControlPlaneNamespace(hc)}},
	}
}

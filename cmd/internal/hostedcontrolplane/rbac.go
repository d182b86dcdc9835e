package hostedcontrolplane

import (
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// OperatorRules returns what the control plane operator may do in its namespace, and all
// that it does: what it reads and writes itself, and what it allows the ignition server,
// since nobody can grant more than they have.
func OperatorRules() []rbacv1.PolicyRule {
	apply := []string{"get", "list", "watch", "create", "patch", "delete"} // by server-side apply, never by update
	return append([]rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"services", "serviceaccounts"}, Verbs: apply},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: apply},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: apply},
		// To own objects in a way that blocks the owner's deletion.
		{APIGroups: []string{hyperv1.GroupVersion.Group}, Resources: []string{"hostedcontrolplanes/finalizers"}, Verbs: []string{"update"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
	}, IgnitionRules()...)
}

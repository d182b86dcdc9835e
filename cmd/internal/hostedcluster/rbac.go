package hostedcluster

import (
	"context"
	"fmt"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// OperatorRules returns what this operator may do in the whole cluster, and all that it
// does: what it reads and writes itself, and what it gives each control-plane-operator,
// for nobody can give what they do not have. The tests run with these and
// [NamespaceRules], so one that is missing shows.
//
// They are for a ClusterRole: control plane namespaces come and go with HostedClusters,
// and a HostedCluster may be in any namespace.
func OperatorRules() []rbacv1.PolicyRule {
	follow := []string{"get", "list", "watch"}
	// A server-side apply is a patch, and a create where there is nothing yet.
	apply := append(follow[:len(follow):len(follow)], "create", "patch")
	remove := append(apply[:len(apply):len(apply)], "delete")
	hypershift := []string{hyperv1.GroupVersion.Group}
	return append([]rbacv1.PolicyRule{
		// The policies, read only. Nothing is asked for the kinds that a cluster lacks.
		{APIGroups: []string{operatorv1alpha1.GroupName}, Resources: []string{"imagecontentsourcepolicies"}, Verbs: follow},
		{APIGroups: []string{configv1.GroupName}, Resources: []string{"imagedigestmirrorsets", "imagetagmirrorsets"}, Verbs: follow},
		{APIGroups: []string{configv1.GroupName}, Resources: []string{"images"}, ResourceNames: []string{"cluster"}, Verbs: follow},
		// With --verify-signatures: what has to be signed.
		{APIGroups: []string{configv1.GroupName}, Resources: []string{"clusterimagepolicies", "imagepolicies"}, Verbs: follow},
		// Which release this cluster runs: what is blocked may not keep it from that. And its
		// signature stores.
		{APIGroups: []string{configv1.GroupName}, Resources: []string{"clusterversions"}, ResourceNames: []string{"version"}, Verbs: []string{"get", "list"}},

		// Whether there is what HyperShift's control-plane-operator signs in to Azure with.
		{APIGroups: []string{secretsStoreGroup}, Resources: []string{"secretproviderclasses"}, ResourceNames: []string{classOperator, classKMS}, Verbs: []string{"get"}},

		// HostedClusters: the patch adds the finalizer, an infraID and a clusterID.
		{APIGroups: hypershift, Resources: []string{"hostedclusters"}, Verbs: append(follow[:len(follow):len(follow)], "patch")},
		{APIGroups: hypershift, Resources: []string{"hostedclusters/status"}, Verbs: []string{"patch"}},

		// Control planes, made and deleted with their HostedCluster.
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: remove},
		{APIGroups: hypershift, Resources: []string{"hostedcontrolplanes"}, Verbs: remove},

		// What a HostedCluster names (pull secret, SSH key, CA bundle) and its copies in the
		// control plane namespace. Contents are read by get, one by one; list and watch are
		// of metadata alone. The copies that are not wanted any more are deleted.
		{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: remove},

		// The control-plane-operator.
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, Verbs: apply},
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: apply},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: apply},
	}, hostedcontrolplane.OperatorRules()...)
}

// NamespaceRules returns what this operator may do in the namespace that it runs in
// (flag --namespace), beside [OperatorRules].
func NamespaceRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		// The lease of the one active replica, and the events that say who has it.
		// What is to be created has no name that could be asked for.
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{Owner}, Verbs: []string{"get", "update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
		// Its own pod, to learn its own image (flag --pod-name).
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}},
	}
}

func serviceAccount(hc *hyperv1.HostedCluster) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{
		ObjectMeta:       meta(hc, hypershift.ControlPlaneOperator),
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: hypershift.PullSecret}},
	}
}

// role returns the Role with what the control-plane-operator may do in its namespace.
func role(hc *hyperv1.HostedCluster) *rbacv1.Role {
	return &rbacv1.Role{ObjectMeta: meta(hc, hypershift.ControlPlaneOperator), Rules: hostedcontrolplane.OperatorRules()}
}

// rights returns the Role and the RoleBinding that hc's control-plane-operator gets. There are
// none where HyperShift's operator wrote the Role for its own control-plane-operator, which is
// in use: that needs more than this operator has, so that it could neither give nor bind it.
func (r *Reconciler) rights(ctx context.Context, hc *hyperv1.HostedCluster, hypershifts bool) ([]client.Object, error) {
	ours := role(hc)
	all := []client.Object{ours, roleBinding(hc)}
	if !hypershifts {
		return all, nil
	}
	live := new(rbacv1.Role)
	key := client.ObjectKeyFromObject(ours)
	err := r.Client.Get(ctx, key, live)
	if err == nil && equality.Semantic.DeepEqual(live.Rules, ours.Rules) {
		return all, nil
	}
	if client.IgnoreNotFound(err) == nil {
		// The cache has only what is labelled as ours, and does not say who wrote it.
		err = r.Live.Get(ctx, key, live)
	}
	switch {
	case apierrors.IsNotFound(err):
		return all, nil
	case err != nil:
		return nil, fmt.Errorf("reading the Role of the control-plane-operator: %w", err)
	case operator.IsHyperShifts(live, "rules"):
		return nil, nil
	}
	return all, nil
}

func roleBinding(hc *hyperv1.HostedCluster) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: meta(hc, hypershift.ControlPlaneOperator),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: hypershift.ControlPlaneOperator},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: hypershift.ControlPlaneOperator, Namespace: hypershift.ControlPlaneNamespace(hc)}},
	}
}

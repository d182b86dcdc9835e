package cluster

import (
	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube"
)

// FromICSP returns what ImageContentSourcePolicies state, for a program that has read them
// itself. The order of the objects does not matter, and they are not changed. An object
// that is wrong is a [*policy.InvalidPolicyError] that names its entry.
func FromICSP(objects ...operatorv1alpha1.ImageContentSourcePolicy) (policy.Policy, error) {
	return kube.ICSP().Policy(&operatorv1alpha1.ImageContentSourcePolicyList{Items: objects})
}

// FromIDMS returns what ImageDigestMirrorSets state, as [FromICSP] does.
func FromIDMS(objects ...configv1.ImageDigestMirrorSet) (policy.Policy, error) {
	return kube.IDMS().Policy(&configv1.ImageDigestMirrorSetList{Items: objects})
}

// FromITMS returns what ImageTagMirrorSets state, as [FromICSP] does.
func FromITMS(objects ...configv1.ImageTagMirrorSet) (policy.Policy, error) {
	return kube.ITMS().Policy(&configv1.ImageTagMirrorSetList{Items: objects})
}

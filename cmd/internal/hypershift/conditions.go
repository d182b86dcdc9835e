package hypershift

import (
	"errors"
	"fmt"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Conditions beside HyperShift's own.
const (
	// OverridesHandedOver says whether who comes next has the mirror rules in force: the
	// control-plane-operator, on a HostedCluster; the ignition server, on a
	// HostedControlPlane. It is True with the reason AsExpected, or False with
	// [TooLargeReason] or [NotExpressibleReason]. While it is False the Deployment that
	// hands rules on is left as it is.
	OverridesHandedOver hyperv1.ConditionType = "OverridesHandedOver"
	// ValidTrustBundle is False while a part of the additional CA bundle is not trusted,
	// with [CertificatesSkippedReason]. Else there is no such condition.
	ValidTrustBundle hyperv1.ConditionType = "ValidTrustBundle"
	// ValidPullSecret is False while entries of the pull secret are left out, with
	// [EntriesSkippedReason]. Else there is no such condition. A pull secret that cannot be
	// used at all is told by the condition of the release.
	ValidPullSecret hyperv1.ConditionType = "ValidPullSecret"
	// ValidMirrorCredentials is False while the Secret with credentials for mirrors that a
	// HostedCluster names, or an entry of it, is not used, with [EntriesSkippedReason]. Else
	// there is no such condition.
	ValidMirrorCredentials hyperv1.ConditionType = "ValidMirrorCredentials"
	// HostedClusterDeleting is True while a HostedCluster is being deleted; the reason says what
	// is waited for, [WaitingForControlPlaneReason] and those that follow. Else it is False,
	// AsExpected. Name and reasons are HyperShift's (openshift/hypershift#8427).
	HostedClusterDeleting hyperv1.ConditionType = "HostedClusterDeleting"
	// ValidReleaseSignature says who signed the release, or why its signature is refused.
	// It is True with AsExpected or [NoSignatureNeededReason], or False with
	// [SignatureRefusedReason]. Where no signature is asked for there is no such condition.
	ValidReleaseSignature hyperv1.ConditionType = "ValidReleaseSignature"
	// ManagementMirrorsChosen says which mirror rules a HostedCluster chose by annotation, and
	// which are ignored. It is True with AsExpected, or False with [InvalidChoiceReason],
	// [OptOutDeniedReason] or [EntriesSkippedReason]. Without an annotation there is no such
	// condition.
	ManagementMirrorsChosen hyperv1.ConditionType = "ManagementMirrorsChosen"
)

// Reasons of those conditions.
const (
	// TooLargeReason: the rules do not fit where they are handed over.
	TooLargeReason = "TooLarge"
	// NotExpressibleReason: the rules hold a name that the form of OPENSHIFT_IMG_OVERRIDES
	// or --registry-overrides cannot express.
	NotExpressibleReason = "NotExpressible"
	// CertificatesSkippedReason: blocks of the CA bundle are no certificates that can be
	// used. The message names them.
	CertificatesSkippedReason = "CertificatesSkipped"
	// EntriesSkippedReason: entries of the pull secret, or of spec.imageContentSources, cannot
	// be used. The message names them, and holds nothing secret.
	EntriesSkippedReason = "EntriesSkipped"
	// WaitingForControlPlaneReason: the HostedControlPlane is there.
	WaitingForControlPlaneReason = "WaitingForControlPlaneDeletion"
	// WaitingForNamespaceReason: the control plane namespace is there.
	WaitingForNamespaceReason = "WaitingForNamespaceDeletion"
	// DeletionCompletedReason: nothing of the HostedCluster is left but itself.
	DeletionCompletedReason = "DeletionCompleted"
	// SignatureRefusedReason: a signature that is asked for is missing, or is refused.
	SignatureRefusedReason = "SignatureRefused"
	// NoSignatureNeededReason: signatures are asked for, and not of this release.
	NoSignatureNeededReason = "NoSignatureNeeded"
	// InvalidChoiceReason: an annotation cannot be used, and the default is in force.
	InvalidChoiceReason = "InvalidChoice"
	// OptOutDeniedReason: the operator allows no choice, and the default is in force.
	OptOutDeniedReason = "OptOutDenied"
)

// SignatureRefused reports whether a lookup failed for want of a good signature.
func SignatureRefused(err error) bool { return provider.ClassOf(err) == provider.ClassSignature }

// Condition returns a condition without what is filled in where it is set.
func Condition(typ hyperv1.ConditionType, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: string(typ), Status: status, Reason: reason, Message: message}
}

// SetUnused sets the condition typ to False where message says what of an input is not
// used. Without a message there is no such condition.
func SetUnused(conditions *[]metav1.Condition, generation int64, typ hyperv1.ConditionType, reason, message string) {
	if message == "" {
		apimeta.RemoveStatusCondition(conditions, string(typ))
		return
	}
	operator.SetCondition(conditions, generation, Condition(typ, metav1.ConditionFalse, reason, message))
}

// maxNamedEntries bounds how many entries of a pull secret are named in a condition.
const maxNamedEntries = 20

// UnusedEntries returns the message of [ValidPullSecret]: which entries of credentials were
// left out, and why. It is "" where there are none.
func UnusedEntries(credentials provider.Credentials) string {
	warnings := credentials.Warnings()
	if more := len(warnings) - maxNamedEntries; more > 0 {
		warnings = append(warnings[:maxNamedEntries], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(warnings, "; ")
}

// HandedOver returns [OverridesHandedOver]: True with message where err is nil, else
// False with the reason that err gives.
func HandedOver(err error, message string) metav1.Condition {
	if err == nil {
		return Condition(OverridesHandedOver, metav1.ConditionTrue, hyperv1.AsExpectedReason, message)
	}
	reason := NotExpressibleReason
	if _, ok := errors.AsType[*handover.TooLargeError](err); ok {
		reason = TooLargeReason
	}
	return Condition(OverridesHandedOver, metav1.ConditionFalse, reason, err.Error())
}

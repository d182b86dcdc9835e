package hypershift

import (
	"errors"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
)

// Condition returns a condition without what is filled in where it is set.
func Condition(typ hyperv1.ConditionType, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: string(typ), Status: status, Reason: reason, Message: message}
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

package hostedcluster

import (
	"cmp"
	"errors"
	"fmt"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// validReleaseImage says whether a lookup succeeded; err is why not, or why the release is
// refused. A condition that is True for this generation stays so: the release was there.
// Progressing says that no registry answers now.
func validReleaseImage(hc *hyperv1.HostedCluster, err error) metav1.Condition {
	was := apimeta.FindStatusCondition(hc.Status.Conditions, string(hyperv1.ValidReleaseImage))
	set := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return hypershift.Condition(hyperv1.ValidReleaseImage, status, reason, message)
	}
	switch _, skip := hc.Annotations[hyperv1.SkipReleaseImageValidation]; {
	case err == nil, errors.Is(err, errNotUpgradeable): // of which Progressing tells
		return set(metav1.ConditionTrue, hyperv1.AsExpectedReason, "Release image is valid")
	case isTrueFor(was, hc):
		return *was
	case errors.Is(err, hypershift.ErrNoPullSecret):
		return set(metav1.ConditionFalse, hyperv1.SecretNotFoundReason, err.Error())
	case errors.Is(err, errPayloadArch):
		return set(metav1.ConditionFalse, hyperv1.PayloadArchNotFoundReason, err.Error())
	case skip: // what is not validated is read all the same, for its architecture
		return set(metav1.ConditionFalse, hyperv1.PayloadArchNotFoundReason, err.Error())
	case refused(err):
		return set(metav1.ConditionFalse, hyperv1.InvalidImageReason, err.Error())
	case hypershift.SignatureRefused(err):
		return set(metav1.ConditionFalse, hypershift.SignatureRefusedReason, err.Error())
	default:
		return set(metav1.ConditionFalse, hyperv1.InvalidImageReason, fmt.Sprintf("failed to lookup release image: %v", err))
	}
}

// validReleaseSignature says who signed what was found, or why not; nothing where no
// signature is asked for, or where the lookup failed for another reason.
func validReleaseSignature(f found, err error) []metav1.Condition {
	if hypershift.SignatureRefused(err) {
		return []metav1.Condition{hypershift.Condition(hypershift.ValidReleaseSignature, metav1.ConditionFalse, hypershift.SignatureRefusedReason, err.Error())}
	}
	if f.release == nil || f.release.Signatures() == nil {
		return nil
	}
	text, bad := f.release.Signatures().String(), f.release.Signatures().Err()
	if f.controlPlane != nil && f.controlPlane != f.release {
		of := f.controlPlane.Signatures()
		text, bad = "release: "+text+"; release of the control plane: "+of.String(), cmp.Or(bad, of.Err())
	}
	c := hypershift.Condition(hypershift.ValidReleaseSignature, metav1.ConditionTrue, hyperv1.AsExpectedReason, text)
	switch {
	case bad != nil: // and it is used all the same
		c.Status, c.Reason = metav1.ConditionFalse, hypershift.SignatureRefusedReason
	case text == "":
		c.Reason, c.Message = hypershift.NoSignatureNeededReason, "No keyring has to sign the release, and no image policy covers it"
	}
	return []metav1.Condition{c}
}

// isTrueFor reports whether c is True of hc as it stands.
func isTrueFor(c *metav1.Condition, hc *hyperv1.HostedCluster) bool {
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == hc.Generation
}

// progressing returns HyperShift's condition: blocked by a lookup that failed or by a
// condition that says what a user must mend, else progressing until the version in the
// spec is the one that the control plane says it wants.
func progressing(hc *hyperv1.HostedCluster, o outcome, err error) metav1.Condition {
	blocked := func(message string) metav1.Condition {
		return hypershift.Condition(hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, message)
	}
	if _, version := errors.AsType[*versionError](err); err != nil && !version { // which a condition tells
		return blocked(err.Error())
	}
	for _, typ := range []hyperv1.ConditionType{
		hyperv1.SupportedHostedCluster, hyperv1.ValidHostedClusterConfiguration, hyperv1.ValidReleaseImage, hyperv1.ReconciliationActive,
	} {
		if c := o.condition(hc, typ); c != nil && c.Status == metav1.ConditionFalse {
			return blocked(fmt.Sprintf("%s condition is false: %s", typ, c.Message))
		}
	}
	if o.version == nil || o.version.Desired.Image != hc.Spec.Release.Image {
		return hypershift.Condition(hyperv1.HostedClusterProgressing, metav1.ConditionTrue, "Progressing", "HostedCluster is deploying, upgrading, or reconfiguring")
	}
	return hypershift.Condition(hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.AsExpectedReason, "HostedCluster is at expected version")
}

// namespaceTooLong says that there can be no control plane namespace for a HostedCluster.
func namespaceTooLong(name string) metav1.Condition {
	return hypershift.Condition(hyperv1.ValidHostedClusterConfiguration, metav1.ConditionFalse, hyperv1.InvalidConfigurationReason, fmt.Sprintf(
		"the control plane namespace would be %s, which has %d characters, and a namespace has %d at most; make the HostedCluster anew with a shorter name, or in a namespace with a shorter one",
		name, len(name), validation.DNS1123LabelMaxLength))
}

// handedOver says whether rules were handed on in w. An image that nobody named is that of
// the release, whose control-plane-operator may be HyperShift's. That cannot be known
// here, so the condition warns, and nothing is refused.
func (w *workload) handedOver(err error) metav1.Condition {
	where := "the environment of the control-plane-operator"
	if w.Handover == HandoverConfigMap {
		where = "ConfigMap " + handover.ConfigMap
		if w.namedImage(w.hc) == "" && w.Image != w.OperatorImage {
			where += ". The image of the control-plane-operator is that of the release: HyperShift's own does not know --overrides-file and does not start with it; name another with --control-plane-operator-image"
		}
	}
	return hypershift.HandedOver(err, "Mirror rules are handed over in "+where)
}

// setUnused says in hc which blocks of its CA bundle are not trusted, and which entries of
// its pull secret and of its credentials for mirrors are left out.
func setUnused(hc *hyperv1.HostedCluster, u unused) {
	if u.certificates != "" {
		u.certificates = "The CA bundle (spec.additionalTrustBundle) has blocks that are " + u.certificates
	}
	if u.entries != "" {
		u.entries += ". Mend the Secret that spec.pullSecret names"
	}
	if u.mirrors != "" {
		u.mirrors = "The Secret that the annotation " + hypershift.AnnotationMirrorCredentials + " names: " + u.mirrors
	}
	hypershift.SetUnused(&hc.Status.Conditions, hc.Generation, hypershift.ValidMirrorCredentials, hypershift.EntriesSkippedReason, u.mirrors)
	hypershift.SetUnused(&hc.Status.Conditions, hc.Generation, hypershift.ValidTrustBundle, hypershift.CertificatesSkippedReason, u.certificates)
	hypershift.SetUnused(&hc.Status.Conditions, hc.Generation, hypershift.ValidPullSecret, hypershift.EntriesSkippedReason, u.entries)
}

// succeeded says whether the reconciliation as a whole succeeded. The spelling is
// HyperShift's.
func succeeded(err error) metav1.Condition {
	if err != nil {
		return hypershift.Condition(hyperv1.ReconciliationSucceeded, metav1.ConditionFalse, "ReconciliationError", err.Error())
	}
	return hypershift.Condition(hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "ReconciliatonSucceeded", "Reconciliation completed successfully")
}

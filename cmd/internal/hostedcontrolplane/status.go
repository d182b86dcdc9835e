package hostedcontrolplane

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
)

// Conditions of the HostedControlPlane beside those of package hypershift and
// HyperShift's own.
const (
	// ComponentVersions says which versions of what the release has: kubernetes,
	// machine-os and the like.
	ComponentVersions = "ComponentVersions"
	// ImageOverridesApplied is False where a part of the image overrides cannot be used,
	// and not there otherwise.
	ImageOverridesApplied = "ImageOverridesApplied"
)

// Reasons of those conditions beside HyperShift's own.
const (
	// ReasonLookupFailed: a release could not be read, so nothing is known of it.
	ReasonLookupFailed = "LookupFailed"
	// ReasonSkipped: pairs of the image overrides that name no image, or no component of
	// the release, are not used.
	ReasonSkipped = "Skipped"
)

// outcome is what one reconciliation found. The status is made of it, and of
// nothing that changes without a reason.
type outcome struct {
	releases  *Releases // nil: not looked up, or in vain
	lookupErr error
	rolledOut bool // what runs here is of the release that is named
	handedOn  bool // the overrides were written or were to be
	handErr   error
	skipped   []string // of the image overrides
	entries   *string  // of the pull secret that are left out, "" if none; nil if it was not read
}

// write puts the outcome into the status.
func (o outcome) write(hcp *hyperv1.HostedControlPlane, now time.Time) {
	set := func(c metav1.Condition) {
		operator.SetCondition(&hcp.Status.Conditions, hcp.Generation, c)
	}
	switch {
	case o.lookupErr != nil:
		c := metav1.Condition{
			Type: string(hyperv1.ValidReleaseInfo), Status: metav1.ConditionUnknown, Reason: ReasonLookupFailed, Message: o.lookupErr.Error(),
		}
		if _, ok := errors.AsType[*hypershift.PullSecretError](o.lookupErr); ok {
			c.Reason = hyperv1.SecretNotFoundReason
		}
		if hypershift.SignatureRefused(o.lookupErr) {
			c.Reason = hypershift.SignatureRefusedReason
		}
		set(c)
	case o.releases != nil:
		set(validReleaseInfo(o.releases.Missing()))
		set(metav1.Condition{
			Type: ComponentVersions, Status: metav1.ConditionTrue, Reason: hyperv1.AsExpectedReason,
			Message: componentVersions(o.releases.User.ComponentVersions()),
		})
		o.version(&hcp.Status, hcp.Spec.ReleaseImage, hcp.Generation, metav1.NewTime(now.UTC().Truncate(time.Second))) // as the API keeps it
	}
	if o.entries != nil {
		hypershift.SetUnused(&hcp.Status.Conditions, hcp.Generation, hypershift.ValidPullSecret, hypershift.EntriesSkippedReason, *o.entries)
	}
	if o.handedOn {
		set(hypershift.HandedOver(o.handErr, hyperv1.AllIsWellMessage))
	}
	if o.releases == nil && apimeta.FindStatusCondition(hcp.Status.Conditions, ImageOverridesApplied) != nil {
		return // which components there are is not known now
	}
	if len(o.skipped) == 0 {
		apimeta.RemoveStatusCondition(&hcp.Status.Conditions, ImageOverridesApplied)
		return
	}
	set(metav1.Condition{
		Type: ImageOverridesApplied, Status: metav1.ConditionFalse, Reason: ReasonSkipped,
		Message: strings.Join(o.skipped, "; ") + ". Mend the annotation " + hyperv1.ImageOverridesAnnotation + " of the HostedCluster",
	})
}

func validReleaseInfo(missing []string) metav1.Condition {
	c := metav1.Condition{
		Type: string(hyperv1.ValidReleaseInfo), Status: metav1.ConditionTrue, Reason: hyperv1.AsExpectedReason, Message: hyperv1.AllIsWellMessage,
	}
	if len(missing) > 0 {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, hyperv1.MissingReleaseImagesReason, strings.Join(missing, ", ")
	}
	return c
}

// componentVersions returns names and versions, sorted.
func componentVersions(versions map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", name, versions[name])
	}
	return b.String()
}

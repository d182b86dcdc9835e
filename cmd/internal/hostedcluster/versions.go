package hostedcluster

import (
	"errors"
	"fmt"
	"strings"

	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// VersionRange are the minor versions of releases that the operator rolls out, both ends
// included.
type VersionRange struct{ Min, Max hypershift.Minor }

// DefaultVersions are the versions that are rolled out where nobody says otherwise. HyperShift has
// the same first one.
var DefaultVersions = VersionRange{hypershift.Minor{Major: 4, Minor: 14}, hypershift.Minor{Major: 4, Minor: 22}}

// ParseVersionRange reads the value of --supported-versions: MIN-MAX, as in "4.14-4.22".
func ParseVersionRange(s string) (VersionRange, error) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		return VersionRange{}, fmt.Errorf("%q has no '-'; want MIN-MAX, as in %s", s, DefaultVersions)
	}
	var r VersionRange
	var err error
	if r.Min, err = hypershift.ParseMinor(first); err != nil {
		return VersionRange{}, err
	}
	if r.Max, err = hypershift.ParseMinor(last); err != nil {
		return VersionRange{}, err
	}
	if r.Min.Compare(r.Max) > 0 {
		return VersionRange{}, fmt.Errorf("%s is after %s; want MIN-MAX, as in %s", r.Min, r.Max, DefaultVersions)
	}
	return r, nil
}

// String returns r as [ParseVersionRange] reads it.
func (r VersionRange) String() string { return r.Min.String() + "-" + r.Max.String() }

// judged is a release, and what decides whether it may be rolled out.
type judged struct {
	version   string // as the release states it
	wanted    hypershift.Minor
	current   hypershift.Minor // that was last rolled out completely; zero if none was
	currentIs string           // the same in full
	network   hyperv1.NetworkType
	platform  hyperv1.PlatformType
	supported VersionRange
}

// Versions that rules name.
var (
	v48, v49, v410 = hypershift.Minor{Major: 4, Minor: 8}, hypershift.Minor{Major: 4, Minor: 9}, hypershift.Minor{Major: 4, Minor: 10}
)

// min returns the first version that is supported on j's platform. IBM Cloud has older ones.
func (j judged) min() hypershift.Minor {
	if j.platform == hyperv1.IBMCloudPlatform && v49.Compare(j.supported.Min) < 0 {
		return v49
	}
	return j.supported.Min
}

// versionRules are HyperShift's, in its order and its words (support/supportedversion).
// The first that refuses counts.
var versionRules = [...]struct {
	refuses func(judged) bool
	says    func(judged) string
}{
	{
		func(j judged) bool { return j.wanted.Compare(v48) < 0 },
		func(j judged) string {
			return fmt.Sprintf("releases before 4.8 are not supported. Attempting to use: %q", j.version)
		},
	}, {
		func(j judged) bool { return j.wanted.Compare(j.current) < 0 },
		func(j judged) string {
			return fmt.Sprintf("y-stream downgrade from %q to %q is not supported", j.currentIs, j.version)
		},
	}, {
		func(j judged) bool {
			return j.network == hyperv1.OpenShiftSDN && !j.current.IsZero() && j.wanted.Compare(j.current) > 0
		},
		func(j judged) string {
			return fmt.Sprintf("y-stream upgrade from %q to %q is not for OpenShiftSDN", j.currentIs, j.version)
		},
	}, {
		func(j judged) bool {
			return j.network == hyperv1.OpenShiftSDN && j.current.IsZero() && j.wanted.Compare(v410) > 0 && j.platform != hyperv1.PowerVSPlatform
		},
		func(j judged) string {
			return fmt.Sprintf("cannot use OpenShiftSDN with OCP version %q > 4.10", j.version)
		},
	}, {
		func(j judged) bool {
			return j.network == hyperv1.OVNKubernetes && j.current.IsZero() && j.wanted.Compare(v410) <= 0
		},
		func(j judged) string {
			return fmt.Sprintf("cannot use OVNKubernetes with OCP version %q < 4.11", j.version)
		},
	}, {
		func(j judged) bool { return j.wanted.Compare(j.supported.Max) > 0 },
		func(j judged) string {
			return fmt.Sprintf("the latest version supported is: %q. Attempting to use: %q", j.supported.Max, j.version)
		},
	}, {
		func(j judged) bool { return j.wanted.Compare(j.min()) < 0 },
		func(j judged) string {
			return fmt.Sprintf("the minimum version supported for platform %s is: %q. Attempting to use: %q", j.platform, j.min(), j.version)
		},
	},
}

// versionError says why a release that was read is not rolled out, for
// [hyperv1.ValidReleaseImage].
type versionError struct{ reason string }

func (e *versionError) Error() string { return e.reason }

// errNotUpgradeable says that the cluster must not be upgraded to another minor version.
var errNotUpgradeable = errors.New("cluster version is not upgradeable")

// refused reports whether err is about a release that was read and is not rolled out.
// Trying again does not mend it.
func refused(err error) bool {
	_, version := errors.AsType[*versionError](err)
	return version || errors.Is(err, errNotUpgradeable)
}

// checkVersions returns a [*versionError] where a release of hc, by the version that it
// states, must not be rolled out. Like HyperShift it does not ask twice for one
// generation, and not at all where an annotation says so. What counts as current is what
// was rolled out completely, so that an upgrade that got stuck can be taken back.
func checkVersions(hc *hyperv1.HostedCluster, supported VersionRange, versions ...string) error {
	if _, skip := hc.Annotations[hyperv1.SkipReleaseImageValidation]; skip {
		return nil
	}
	if isTrueFor(apimeta.FindStatusCondition(hc.Status.Conditions, string(hyperv1.ValidReleaseImage)), hc) {
		return nil
	}
	j := judged{network: hc.Spec.Networking.NetworkType, platform: hc.Spec.Platform.Type, supported: supported}
	j.current, j.currentIs = completed(hc.Status.Version)
	for _, version := range versions {
		var err error
		if j.wanted, err = hypershift.ParseMinor(version); err != nil {
			return &versionError{"the release states no version: " + err.Error()}
		}
		j.version = version
		for _, rule := range versionRules {
			if rule.refuses(j) {
				return &versionError{rule.says(j)}
			}
		}
	}
	return nil
}

// completed returns the version that was last rolled out completely; zero if none was.
func completed(status *hyperv1.ClusterVersionStatus) (hypershift.Minor, string) {
	if status == nil {
		return hypershift.Minor{}, ""
	}
	for _, h := range status.History { // the newest first
		if h.State != configv1.CompletedUpdate {
			continue
		}
		if m, err := hypershift.ParseMinor(h.Version); err == nil {
			return m, h.Version
		}
	}
	return hypershift.Minor{}, ""
}

// checkUpgrade returns an [errNotUpgradeable] where hc asks for another minor version than
// the one that its control plane wants by now, and upgradeable, its condition
// [hyperv1.ClusterVersionUpgradeable], does not allow that. As in HyperShift
// (isUpgrading), anything but True forbids it, no condition allows it, and so does a
// release of the control plane of its own, or the annotation that forces this very image.
func checkUpgrade(hc *hyperv1.HostedCluster, status *hyperv1.ClusterVersionStatus, upgradeable *metav1.Condition, version string) error {
	image := hypershift.ControlPlaneRelease(hc)
	if status == nil || status.Desired.Image == image || upgradeable == nil || upgradeable.Status == metav1.ConditionTrue {
		return nil
	}
	refuse := func(why string) error {
		return fmt.Errorf("%s condition is %s: %w%s", upgradeable.Type, strings.ToLower(string(upgradeable.Status)), errNotUpgradeable, why)
	}
	switch forced, ok := hc.Annotations[hyperv1.ForceUpgradeToAnnotation]; {
	case ok && forced != image:
		return refuse(fmt.Sprintf(": the annotation %s names %q, and the release image is %s", hyperv1.ForceUpgradeToAnnotation, forced, image))
	case ok, hc.Spec.ControlPlaneRelease != nil:
		return nil
	}
	from, err := hypershift.ParseMinor(status.Desired.Version)
	if err != nil {
		return refuse(fmt.Sprintf(": the present version is not known: %v", err))
	}
	if to, err := hypershift.ParseMinor(version); err != nil || to != from {
		return refuse(fmt.Sprintf(" from %s to %s (%s: %s)", status.Desired.Version, version, upgradeable.Reason, upgradeable.Message))
	}
	return nil
}

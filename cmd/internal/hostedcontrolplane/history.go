package hostedcontrolplane

//lint:file-ignore SA1019 HyperShift writes the deprecated status fields beside the new ones, and its clients read them

import (
	"cmp"
	"slices"

	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/provider"
)

// maxHistory is how many updates are kept, as the cluster version operator keeps them.
const maxHistory = 100

// version notes the release of the user, which was read, as the one that is wanted, and
// in the history how far it has come. image is its name in the spec of that generation.
func (o outcome) version(status *hyperv1.HostedControlPlaneStatus, image string, generation int64, now metav1.Time) {
	user := o.releases.User
	if status.ReleaseImage != image {
		status.LastReleaseImageTransitionTime = &now
	}
	status.Version, status.ReleaseImage = user.Version(), image
	if status.VersionStatus == nil {
		status.VersionStatus = &hyperv1.ClusterVersionStatus{}
	}
	v := status.VersionStatus
	v.Desired.Version, v.Desired.Image = user.Version(), image
	v.ObservedGeneration = generation
	if v.AvailableUpdates == nil { // required; nobody here knows of any
		v.AvailableUpdates = []configv1.Release{}
	}
	done := o.rolledOut && len(o.releases.Missing()) == 0
	v.History = addHistory(v.History, user.Version(), pinned(user), done, now)
}

// pinned returns the name of a release by digest. For a release that was asked for by tag
// that is the digest of the manifest that was read.
func pinned(release *provider.Release) string {
	image := release.Image()
	byDigest, err := image.WithDigest(cmp.Or(image.Digest(), release.Digest()))
	if err != nil { // a provider that tells no digest
		return image.String()
	}
	return byDigest.String()
}

// addHistory returns history, the newest update first, with the one to image in front. An
// update is Partial until it was done once, and ends where the next one starts, as the
// cluster version operator has it. history is not modified.
func addHistory(history []configv1.UpdateHistory, version, image string, done bool, now metav1.Time) []configv1.UpdateHistory {
	history = slices.Clone(history)
	if len(history) == 0 || history[0].Image != image {
		if len(history) > 0 && history[0].CompletionTime == nil {
			history[0].CompletionTime = &now
		}
		started := configv1.UpdateHistory{State: configv1.PartialUpdate, StartedTime: now, Version: version, Image: image}
		history = slices.Insert(history, 0, started)
	}
	if newest := &history[0]; done && newest.State != configv1.CompletedUpdate {
		newest.State, newest.CompletionTime = configv1.CompletedUpdate, &now
	}
	return history[:min(len(history), maxHistory)]
}

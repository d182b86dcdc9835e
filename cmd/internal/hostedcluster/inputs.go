package hostedcluster

import (
	"cmp"
	"maps"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// inputs are what a HostedCluster and its release say about the control-plane-operator's
// Deployment: all that a lookup has to go well for. What is there shows them
// (inputsIn), so that rules can be exchanged in it and nothing else.
type inputs struct {
	release        string // that it operates on
	image          string // of the control-plane-operator
	imageOverrides string // value of --image-overrides
	labels         map[string]string
	nodeSelector   map[string]string
	tolerations    []corev1.Toleration
	trustBundle    bool // there is an additional CA bundle
	scc            bool // the cluster has SecurityContextConstraints
}

// What is looked for in a Deployment that is there.
const (
	flagRegistryOverrides = "--registry-overrides"
	flagImageOverrides    = "--image-overrides"
	envRelease            = "OPERATE_ON_RELEASE_IMAGE"
)

// inputsOf are those of hc as its spec stands.
func inputsOf(hc *hyperv1.HostedCluster, image string, scc bool) inputs {
	return inputs{
		release:        hypershift.ControlPlaneRelease(hc),
		image:          image,
		imageOverrides: cmp.Or(hc.Annotations[hyperv1.ImageOverridesAnnotation], "="),
		labels:         hc.Spec.Labels,
		nodeSelector:   hc.Spec.NodeSelector,
		tolerations:    hc.Spec.Tolerations,
		trustBundle:    hc.Spec.AdditionalTrustBundle != nil,
		scc:            scc,
	}
}

// inputsIn are those that d was made of. ok is false where it does not say which
// release and which image it is for.
func inputsIn(d *appsv1.Deployment) (in inputs, ok bool) {
	pod := &d.Spec.Template
	in = inputs{
		imageOverrides: argOf(d, flagImageOverrides),
		labels:         maps.Clone(pod.Labels),
		nodeSelector:   pod.Spec.NodeSelector,
		tolerations:    pod.Spec.Tolerations,
		scc:            pod.Spec.SecurityContext == nil || pod.Spec.SecurityContext.RunAsUser == nil,
	}
	for _, own := range []string{"app", "name", hypershift.ControlPlaneLabel} {
		delete(in.labels, own)
	}
	for _, v := range pod.Spec.Volumes {
		in.trustBundle = in.trustBundle || v.Name == hypershift.UserCAVolume
	}
	c, _ := containerOf(d)
	in.image = c.Image
	for _, v := range c.Env {
		if v.Name == envRelease {
			in.release = v.Value
		}
	}
	return in, in.image != "" && in.release != ""
}

// argOf is the value of a flag in d, "" if it is not there.
func argOf(d *appsv1.Deployment, flag string) string {
	c, _ := containerOf(d)
	for _, arg := range c.Args {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			return value
		}
	}
	return ""
}

func containerOf(d *appsv1.Deployment) (corev1.Container, bool) {
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == hypershift.ControlPlaneOperator {
			return c, true
		}
	}
	return corev1.Container{}, false
}

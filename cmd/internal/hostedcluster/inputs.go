package hostedcluster

import (
	"cmp"
	"encoding/json"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// inputs are what a HostedCluster and its release say about the control-plane-operator's
// Deployment: all that a lookup has to go well for. The Deployment says in an annotation
// which it was made of, so that its rules can be exchanged and nothing else. They are not
// read from its other fields: others write those too, and what they added would become
// ours.
type inputs struct {
	Release        string              `json:"release"`        // that it operates on
	Image          string              `json:"image"`          // of the control-plane-operator
	ImageOverrides string              `json:"imageOverrides"` // value of --image-overrides
	Labels         map[string]string   `json:"labels,omitempty"`
	NodeSelector   map[string]string   `json:"nodeSelector,omitempty"`
	Tolerations    []corev1.Toleration `json:"tolerations,omitempty"`
	RestartDate    string              `json:"restartDate,omitempty"` // another one restarts it
	PriorityClass  string              `json:"priorityClass,omitempty"`
	TrustBundle    bool                `json:"trustBundle,omitempty"` // there is an additional CA bundle
	SCC            bool                `json:"scc,omitempty"`         // the cluster has SecurityContextConstraints
	UID            int64               `json:"uid,omitempty"`         // that HyperShift chose for the containers; 0 is defaultUID
	// What annotations of the HostedCluster say about certificates, for HyperShift's operator.
	CertificateValidity string `json:"certificateValidity,omitempty"`
	CertificateRenewal  string `json:"certificateRenewal,omitempty"`
	// HyperShifts says that the control-plane-operator is HyperShift's, and Cloud what that one
	// signs in to the cloud with; nil for nothing. Ours asks no cloud.
	HyperShifts bool         `json:"hypershifts,omitempty"`
	Cloud       *cloudAccess `json:"cloud,omitempty"`
	// Signatures are those that releases need, as the control plane is handed them.
	Signatures string `json:"signatures,omitempty"`
}

// Annotations of a HostedCluster that become variables (support/certs of HyperShift).
const (
	annotationCertificateValidity = "hypershift.openshift.io/certificate-validity"
	annotationCertificateRenewal  = "hypershift.openshift.io/certificate-renewal"
)

// annotationUID is on a control plane namespace: the user that HyperShift chose for its
// containers, where no SecurityContextConstraints do. Volumes there have files of that user.
const annotationUID = "hypershift.openshift.io/default-security-context-uid"

// inputsAnnotation has the inputs that a Deployment was made of, in JSON.
const inputsAnnotation = "mirrorchain.io/deployment-inputs"

// What carries rules in a Deployment.
const (
	flagRegistryOverrides = "--registry-overrides"
	flagImageOverrides    = "--image-overrides"
	flagOverridesFile     = "--overrides-file"
	envRelease            = "OPERATE_ON_RELEASE_IMAGE"
)

// inputsOf returns the inputs that the spec of hc asks for.
func (s *Settings) inputsOf(hc *hyperv1.HostedCluster, image string, scc bool) inputs {
	in := inputs{
		Release:        hypershift.ControlPlaneRelease(hc),
		Image:          image,
		ImageOverrides: cmp.Or(hc.Annotations[hyperv1.ImageOverridesAnnotation], "="),
		Labels:         hc.Spec.Labels,
		NodeSelector:   hc.Spec.NodeSelector,
		Tolerations:    hc.Spec.Tolerations,
		RestartDate:    hc.Annotations[hyperv1.RestartDateAnnotation],
		PriorityClass:  hc.Annotations[hyperv1.ControlPlanePriorityClass],
		TrustBundle:    hc.Spec.AdditionalTrustBundle != nil,
		SCC:            scc,

		CertificateValidity: hc.Annotations[annotationCertificateValidity],
		CertificateRenewal:  hc.Annotations[annotationCertificateRenewal],
	}
	if in.HyperShifts = image != s.OperatorImage && image != s.ControlPlaneOperatorImage; in.HyperShifts {
		in.Cloud = cloudAccessOf(hc)
	}
	return in
}

// text returns in as the value of [inputsAnnotation].
func (in inputs) text() (string, error) {
	data, err := json.Marshal(in)
	return string(data), err
}

// inputsIn returns the inputs that d was made of. ok is false where it does not say so.
func inputsIn(d *appsv1.Deployment) (in inputs, ok bool) {
	err := json.Unmarshal([]byte(d.Annotations[inputsAnnotation]), &in)
	return in, err == nil && in.Image != "" && in.Release != ""
}

// rulesIn returns all that carries rules in d, to be compared.
func rulesIn(d *appsv1.Deployment) (out []string) {
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name != hypershift.ControlPlaneOperator {
			continue
		}
		for _, arg := range c.Args {
			if name, _, _ := strings.Cut(arg, "="); name == flagRegistryOverrides || name == flagOverridesFile {
				out = append(out, arg)
			}
		}
		for _, name := range []string{handover.ImageOverridesVariable, handover.Variable} {
			for _, v := range c.Env {
				if v.Name == name {
					out = append(out, v.Name+"="+v.Value)
				}
			}
		}
	}
	return out
}

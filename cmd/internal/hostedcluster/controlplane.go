package hostedcluster

import (
	"cmp"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// namespace returns the control plane namespace.
func namespace(hc *hyperv1.HostedCluster) *corev1.Namespace {
	ns := &corev1.Namespace{ObjectMeta: meta(hc, "")}
	ns.Name, ns.Namespace = ns.Namespace, ""
	ns.Labels[hypershift.ControlPlaneLabel] = "true"
	// What runs there needs no more than "restricted", which is also the default of the
	// annotation. HyperShift looks for a label of the control-plane-operator's image
	// first; here no image is read to write an object.
	level := cmp.Or(strings.ToLower(hc.Annotations[hyperv1.PodSecurityAdmissionLabelOverrideAnnotation]), "restricted")
	for _, mode := range []string{"enforce", "audit", "warn"} {
		ns.Labels["pod-security.kubernetes.io/"+mode] = level
	}
	ns.Labels["security.openshift.io/scc.podSecurityLabelSync"] = "false" // or OpenShift sets the level itself
	return ns
}

// hostedControlPlane returns hc as its control plane knows it. References are to the
// copies in the control plane namespace.
func hostedControlPlane(hc *hyperv1.HostedCluster) *hyperv1.HostedControlPlane {
	hcp := &hyperv1.HostedControlPlane{ObjectMeta: meta(hc, hc.Name)}
	handDown(hc.Annotations, hcp.Annotations)
	s := hc.Spec.DeepCopy()
	hcp.Spec = hyperv1.HostedControlPlaneSpec{
		ReleaseImage: s.Release.Image,
		PullSecret:   corev1.LocalObjectReference{Name: hypershift.PullSecret},

		UpdateService:                    s.UpdateService,
		Channel:                          s.Channel,
		FIPS:                             s.FIPS,
		IssuerURL:                        s.IssuerURL,
		ServiceAccountSigningKey:         s.ServiceAccountSigningKey,
		Networking:                       s.Networking,
		ClusterID:                        s.ClusterID,
		InfraID:                          s.InfraID,
		DNS:                              s.DNS,
		Services:                         s.Services,
		ControllerAvailabilityPolicy:     s.ControllerAvailabilityPolicy,
		InfrastructureAvailabilityPolicy: s.InfrastructureAvailabilityPolicy,
		Etcd:                             s.Etcd,
		ImageContentSources:              s.ImageContentSources,
		SecretEncryption:                 s.SecretEncryption,
		KubeAPIServerDNSName:             s.KubeAPIServerDNSName,
		PausedUntil:                      s.PausedUntil,
		OLMCatalogPlacement:              s.OLMCatalogPlacement,
		Autoscaling:                      s.Autoscaling,
		AutoNode:                         s.AutoNode,
		NodeSelector:                     s.NodeSelector,
		Tolerations:                      s.Tolerations,
		Labels:                           s.Labels,
		Platform:                         s.Platform,
		Configuration:                    s.Configuration,
		Capabilities:                     s.Capabilities,
		OperatorConfiguration:            s.OperatorConfiguration,
	}
	if s.ControlPlaneRelease != nil {
		hcp.Spec.ControlPlaneReleaseImage = &s.ControlPlaneRelease.Image
	}
	if s.SSHKey.Name != "" {
		hcp.Spec.SSHKey.Name = hypershift.SSHKey
	}
	if s.AdditionalTrustBundle != nil {
		hcp.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: hypershift.UserCABundle}
	}
	return hcp
}

// secretCopy returns the value of key in from as a Secret in the control plane namespace.
func secretCopy(hc *hyperv1.HostedCluster, from *corev1.Secret, name, key string, typ corev1.SecretType) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: meta(hc, name), Type: typ, Data: map[string][]byte{key: from.Data[key]}}
}

// configMap returns a ConfigMap in the control plane namespace.
func configMap(hc *hyperv1.HostedCluster, name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: meta(hc, name), Data: data}
}

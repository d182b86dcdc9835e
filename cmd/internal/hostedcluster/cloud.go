package hostedcluster

import (
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// cloudAccess is what HyperShift's control-plane-operator signs in to the cloud of its
// platform with: variables, a Secret, and a token that a second container asks the hosted
// cluster for (applyPlatformSpecificConfig and InjectTokenMinterContainer of HyperShift).
type cloudAccess struct {
	Platform hyperv1.PlatformType `json:"platform"`
	Region   string               `json:"region,omitempty"`
	Project  string               `json:"project,omitempty"` // of GCP
}

// The names and places that HyperShift gives them.
const (
	cloudCredentials = "control-plane-operator-creds" // a Secret that HyperShift makes
	cloudToken       = "cloud-token"
	cloudTokenDir    = "/var/run/secrets/openshift/serviceaccount"
	// tokenMinter is not HyperShift's cloud-token-minter, which may be an init container: no
	// other container of the pod may have the name of one.
	tokenMinter = "token-minter"
)

// cloudAccessOf returns what hc's platform takes; nil for a platform that takes nothing.
// Azure is left out. The volume of its managed identities would keep the pod from starting
// where nobody makes its SecretProviderClass, and the API that is used here does not have
// the client ID of its workload identities.
func cloudAccessOf(hc *hyperv1.HostedCluster) *cloudAccess {
	switch p := hc.Spec.Platform; {
	case p.Type == hyperv1.AWSPlatform && p.AWS != nil:
		return &cloudAccess{Platform: p.Type, Region: p.AWS.Region}
	case p.Type == hyperv1.GCPPlatform && p.GCP != nil:
		return &cloudAccess{Platform: p.Type, Region: p.GCP.Region, Project: p.GCP.Project}
	}
	return nil
}

// grant adds a to the pod of a control-plane-operator, whose container is c. It adds nothing
// for nil.
func (a *cloudAccess) grant(pod *corev1.PodSpec, c *corev1.Container, hc *hyperv1.HostedCluster) {
	if a == nil {
		return
	}
	var vars [][2]string
	switch a.Platform {
	case hyperv1.AWSPlatform:
		vars = [][2]string{{"AWS_SHARED_CREDENTIALS_FILE", "/etc/provider/credentials"}, {"AWS_REGION", a.Region}, {"AWS_SDK_LOAD_CONFIG", "true"}}
		mountCredentials(pod, c, "provider-creds", "/etc/provider")
	case hyperv1.GCPPlatform:
		vars = [][2]string{{"GOOGLE_APPLICATION_CREDENTIALS", "/etc/gcp/application_default_credentials.json"}, {"GOOGLE_CLOUD_PROJECT", a.Project}, {"GCP_REGION", a.Region}}
		mountCredentials(pod, c, "gcp-credentials", "/etc/gcp")
	}
	for _, v := range vars {
		c.Env = append(c.Env, corev1.EnvVar{Name: v[0], Value: v[1]})
	}
	token := corev1.VolumeMount{Name: cloudToken, MountPath: cloudTokenDir}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: cloudToken, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory},
	}})
	c.VolumeMounts = append(c.VolumeMounts, token)
	pod.Containers = append(pod.Containers, corev1.Container{
		Name: tokenMinter, Image: c.Image, ImagePullPolicy: c.ImagePullPolicy,
		Command: []string{"/usr/bin/control-plane-operator", "token-minter"},
		Args: []string{
			"--token-audience=openshift", "--service-account-namespace=kube-system", "--service-account-name=" + hypershift.ControlPlaneOperator,
			"--token-file=" + cloudTokenDir + "/token",
			"--kubeconfig-secret-namespace=" + hypershift.ControlPlaneNamespace(hc), "--kubeconfig-secret-name=service-network-admin-kubeconfig",
		},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("30Mi"),
		}},
		SecurityContext: c.SecurityContext.DeepCopy(),
		VolumeMounts:    []corev1.VolumeMount{token},
	})
}

// mountCredentials mounts the Secret that HyperShift makes of the roles that the platform
// names. Where it is not there, the control-plane-operator starts without.
func mountCredentials(pod *corev1.PodSpec, c *corev1.Container, volume, dir string) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: cloudCredentials, Optional: new(true)},
	}})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: dir, ReadOnly: true})
}

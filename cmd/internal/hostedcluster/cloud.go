package hostedcluster

import (
	"context"
	"fmt"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
)

// cloudAccess is what HyperShift's control-plane-operator signs in to the cloud of its
// platform with: variables, a Secret or volumes of the Secrets Store CSI driver, and a token
// that a second container asks the hosted cluster for (applyPlatformSpecificConfig and
// InjectTokenMinterContainer of HyperShift).
type cloudAccess struct {
	Platform hyperv1.PlatformType `json:"platform"`
	Region   string               `json:"region,omitempty"`
	Project  string               `json:"project,omitempty"` // of GCP
	// On Azure either an identity that the token stands for, or classes of managed identities.
	ClientID string   `json:"clientID,omitempty"`
	TenantID string   `json:"tenantID,omitempty"`
	Classes  []string `json:"secretProviderClasses,omitempty"`
}

// The names and places that HyperShift gives them.
const (
	cloudCredentials = "control-plane-operator-creds" // a Secret that HyperShift makes
	cloudToken       = "cloud-token"
	cloudTokenDir    = "/var/run/secrets/openshift/serviceaccount"
	cloudTokenFile   = cloudTokenDir + "/token"
	// tokenMinter is not HyperShift's cloud-token-minter, which may be an init container: no
	// other container of the pod may have the name of one.
	tokenMinter = "token-minter"
	// Classes that HyperShift makes for the managed identities of Azure.
	classOperator     = "managed-azure-cpo"
	classKMS          = "managed-azure-kms"
	secretsStoreGroup = "secrets-store.csi.x-k8s.io" // of SecretProviderClasses
	secretsStore      = "secrets-store.csi.k8s.io"   // the driver
)

// cloudAccessOf returns what hc's platform takes; nil for a platform that takes nothing, and
// for Azure: see [Reconciler.azureAccess].
func cloudAccessOf(hc *hyperv1.HostedCluster) *cloudAccess {
	switch p := hc.Spec.Platform; {
	case p.Type == hyperv1.AWSPlatform && p.AWS != nil:
		return &cloudAccess{Platform: p.Type, Region: p.AWS.Region}
	case p.Type == hyperv1.GCPPlatform && p.GCP != nil:
		return &cloudAccess{Platform: p.Type, Region: p.GCP.Region, Project: p.GCP.Project}
	}
	return nil
}

// azureAccess returns what hc takes on Azure; nil for another platform, and where there is
// nothing to sign in with. Of managed identities only the classes count that are there: no
// pod starts without those that it names, and HyperShift makes them.
func (r *Reconciler) azureAccess(ctx context.Context, hc *hyperv1.HostedCluster) (*cloudAccess, error) {
	p := hc.Spec.Platform
	if p.Type != hyperv1.AzurePlatform || p.Azure == nil {
		return nil, nil
	}
	a := &cloudAccess{Platform: p.Type}
	switch p.Azure.AzureAuthenticationConfig.AzureAuthenticationConfigType {
	case hyperv1.AzureAuthenticationTypeManagedIdentities:
		classes := []string{classOperator}
		if e := hc.Spec.SecretEncryption; e != nil && e.KMS != nil {
			classes = append(classes, classKMS)
		}
		for _, name := range classes {
			class := new(metav1.PartialObjectMetadata)
			class.SetGroupVersionKind(schema.GroupVersionKind{Group: secretsStoreGroup, Version: "v1", Kind: "SecretProviderClass"})
			err := r.Live.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: name}, class)
			switch {
			case err == nil:
				a.Classes = append(a.Classes, name)
			case !apierrors.IsNotFound(err) && !apimeta.IsNoMatchError(err):
				return nil, fmt.Errorf("reading SecretProviderClass %s: %w", name, err)
			}
		}
	case hyperv1.AzureAuthenticationTypeWorkloadIdentities:
		// The API that is used here is older than the field.
		whole := new(unstructured.Unstructured)
		whole.SetGroupVersionKind(hyperv1.GroupVersion.WithKind("HostedCluster"))
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(hc), whole); err != nil {
			return nil, fmt.Errorf("reading the workload identities of the HostedCluster: %w", err)
		}
		a.ClientID, _, _ = unstructured.NestedString(whole.Object, "spec", "platform", "azure", "azureAuthenticationConfig", "workloadIdentities", "controlPlaneOperator", "clientID")
		a.TenantID = p.Azure.TenantID
	}
	if a.ClientID == "" && len(a.Classes) == 0 {
		return nil, nil
	}
	return a, nil
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
	case hyperv1.AzurePlatform:
		for _, class := range a.Classes {
			mountClass(pod, c, class)
		}
		if a.ClientID == "" {
			return // managed identities need no token
		}
		vars = [][2]string{{"AZURE_FEDERATED_TOKEN_FILE", cloudTokenFile}, {"AZURE_CLIENT_ID", a.ClientID}, {"AZURE_TENANT_ID", a.TenantID}}
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
			"--token-file=" + cloudTokenFile,
			"--kubeconfig-secret-namespace=" + hypershift.ControlPlaneNamespace(hc), "--kubeconfig-secret-name=service-network-admin-kubeconfig",
		},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("30Mi"),
		}},
		SecurityContext: c.SecurityContext.DeepCopy(),
		VolumeMounts:    []corev1.VolumeMount{token},
	})
}

// mountClass mounts what the Secrets Store CSI driver reads for a class.
func mountClass(pod *corev1.PodSpec, c *corev1.Container, class string) {
	volume, dir := "cpo-cert", "/mnt/certs"
	if class == classKMS {
		volume, dir = "kms-cert", "/mnt/kms"
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{
		Driver: secretsStore, ReadOnly: new(true), VolumeAttributes: map[string]string{"secretProviderClass": class},
	}}})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: dir, ReadOnly: true})
}

// mountCredentials mounts the Secret that HyperShift makes of the roles that the platform
// names. Where it is not there, the control-plane-operator starts without.
func mountCredentials(pod *corev1.PodSpec, c *corev1.Container, volume, dir string) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: cloudCredentials, Optional: new(true)},
	}})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: dir, ReadOnly: true})
}

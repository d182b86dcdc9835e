package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

const (
	azureTenant = "11111111-2222-3333-4444-555555555555"
	azureClient = "66666666-7777-8888-9999-000000000000"
)

// onAzure returns a HostedCluster on Azure whose control-plane-operator is HyperShift's.
func (w *world) onAzure(name string, auth hyperv1.AzureAuthenticationConfiguration) *hyperv1.HostedCluster {
	hc := w.hostedCluster(name)
	hc.Annotations = map[string]string{hyperv1.ControlPlaneOperatorImageAnnotation: hypershiftsImage}
	network := "/subscriptions/" + azureTenant + "/resourceGroups/rg/providers/Microsoft.Network/"
	hc.Spec.Platform = hyperv1.PlatformSpec{Type: hyperv1.AzurePlatform, Azure: &hyperv1.AzurePlatformSpec{
		Location: "westeurope", ResourceGroupName: "rg", SubscriptionID: azureTenant, TenantID: azureTenant,
		VnetID: network + "virtualNetworks/net", SubnetID: network + "virtualNetworks/net/subnets/nodes", SecurityGroupID: network + "networkSecurityGroups/g",
		AzureAuthenticationConfig: auth,
	}}
	return hc
}

func managedIdentities() hyperv1.AzureAuthenticationConfiguration {
	one := hyperv1.ManagedIdentity{ObjectEncoding: "utf-8", CredentialsSecretName: "one"}
	return hyperv1.AzureAuthenticationConfiguration{
		AzureAuthenticationConfigType: hyperv1.AzureAuthenticationTypeManagedIdentities,
		ManagedIdentities: &hyperv1.AzureResourceManagedIdentities{
			ControlPlane: hyperv1.ControlPlaneManagedIdentities{
				ManagedIdentitiesKeyVault: hyperv1.ManagedAzureKeyVault{Name: "vault", TenantID: azureTenant},
				CloudProvider:             one, NodePoolManagement: one, ControlPlaneOperator: one, ImageRegistry: one, Ingress: one, Network: one, Disk: one, File: one,
			},
			DataPlane: hyperv1.DataPlaneManagedIdentities{ImageRegistryMSIClientID: "a", DiskMSIClientID: "b", FileMSIClientID: "c"},
		},
	}
}

func workloadIdentities() hyperv1.AzureAuthenticationConfiguration {
	one := hyperv1.WorkloadIdentity{ClientID: "12345678-1234-1234-1234-123456789012"}
	return hyperv1.AzureAuthenticationConfiguration{
		AzureAuthenticationConfigType: hyperv1.AzureAuthenticationTypeWorkloadIdentities,
		WorkloadIdentities: &hyperv1.AzureWorkloadIdentities{
			ImageRegistry: one, Ingress: one, File: one, Disk: one, NodePoolManagement: one, CloudProvider: one, Network: one,
		},
	}
}

// secretProviderClass returns one as HyperShift's operator makes it.
func secretProviderClass(hc *hyperv1.HostedCluster, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": secretsStoreGroup + "/v1", "kind": "SecretProviderClass",
		"metadata": map[string]any{"namespace": hypershift.ControlPlaneNamespace(hc), "name": name},
	}}
}

// secretsStoreCRD defines the kind, with any content.
func secretsStoreCRD() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "secretproviderclasses." + secretsStoreGroup},
		"spec": map[string]any{
			"group": secretsStoreGroup, "scope": "Namespaced",
			"names": map[string]any{"plural": "secretproviderclasses", "singular": "secretproviderclass", "kind": "SecretProviderClass", "listKind": "SecretProviderClassList"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}

// laterAzure has HostedClusters name the identity of the control-plane-operator, as those of a
// later HyperShift do.
func (w *world) laterAzure(t *testing.T) {
	t.Helper()
	crd := cluster.HypershiftCRD(t, "hostedclusters")
	path := []string{"schema", "openAPIV3Schema"}
	for _, field := range []string{"spec", "platform", "azure", "azureAuthenticationConfig", "workloadIdentities"} {
		path = append(path, "properties", field)
	}
	change(t, w, crd, func(crd *unstructured.Unstructured) {
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		for _, v := range versions {
			err = errors.Join(err, unstructured.SetNestedField(v.(map[string]any), true, append(path, "x-kubernetes-preserve-unknown-fields")...))
		}
		if err = errors.Join(err, unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")); err != nil {
			t.Fatal(err)
		}
	})
}

// volumesAre says which classes of the Secrets Store CSI driver are mounted, and where.
func volumesAre(want ...string) func(*appsv1.Deployment) error {
	return func(d *appsv1.Deployment) error {
		var got []string
		pod := d.Spec.Template.Spec
		for _, v := range pod.Volumes {
			if v.CSI == nil {
				continue
			}
			for _, m := range pod.Containers[0].VolumeMounts {
				if m.Name == v.Name {
					got = append(got, v.CSI.VolumeAttributes["secretProviderClass"]+" "+m.MountPath)
				}
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("classes %q, want %q", got, want)
		}
		return nil
	}
}

// HyperShift's control-plane-operator keeps what it signs in to Azure with where that is there:
// the classes that HyperShift made, or the client ID that the HostedCluster names.
func TestAzure(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.laterAzure(t)
	managed, workload := w.onAzure("managed", managedIdentities()), w.onAzure("workload", workloadIdentities())
	managed.Spec.SecretEncryption = &hyperv1.SecretEncryptionSpec{Type: hyperv1.KMS, KMS: &hyperv1.KMSSpec{Provider: hyperv1.AZURE, Azure: &hyperv1.AzureKMSSpec{
		ActiveKey: hyperv1.AzureKMSKey{KeyVaultName: "vault", KeyName: "key", KeyVersion: "1"},
		KMS:       hyperv1.ManagedIdentity{ObjectEncoding: "utf-8", CredentialsSecretName: "kms"},
	}}}
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), managed, workload)
	w.operate(t, nil)
	none := func(d *appsv1.Deployment) error {
		if n := len(d.Spec.Template.Spec.Containers); n != 1 || envOf(d, "AZURE_CLIENT_ID") != "not there" {
			return fmt.Errorf("%d containers, client ID %s", n, envOf(d, "AZURE_CLIENT_ID"))
		}
		return volumesAre()(d)
	}
	w.cpo(t, managed, none) // nobody has the kind yet
	w.cpo(t, workload, none)

	w.Install(t, secretsStoreCRD())
	touched := 0
	touch := func(hc *hyperv1.HostedCluster) {
		t.Helper()
		touched++
		change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Annotations["touched"] = fmt.Sprint(touched) })
	}
	w.create(t, secretProviderClass(managed, classOperator))
	touch(managed)
	w.cpo(t, managed, volumesAre("managed-azure-cpo /mnt/certs"))
	w.create(t, secretProviderClass(managed, classKMS))
	touch(managed)
	d := w.cpo(t, managed, volumesAre("managed-azure-cpo /mnt/certs", "managed-azure-kms /mnt/kms"))
	if n := len(d.Spec.Template.Spec.Containers); n != 1 {
		t.Errorf("%d containers: managed identities need no token", n)
	}

	patch := `{"spec":{"platform":{"azure":{"azureAuthenticationConfig":{"workloadIdentities":{"controlPlaneOperator":{"clientID":"` + azureClient + `"}}}}}}}`
	cluster.Await(t, "the identity to be kept", func(ctx context.Context) error {
		whole := new(unstructured.Unstructured)
		whole.SetGroupVersionKind(hyperv1.GroupVersion.WithKind("HostedCluster"))
		whole.SetNamespace(workload.Namespace)
		whole.SetName(workload.Name)
		err := w.Patch(ctx, whole, client.RawPatch(types.MergePatchType, []byte(patch)))
		if err == nil && !strings.Contains(fmt.Sprint(whole.Object), azureClient) {
			err = errors.New("it is not there")
		}
		return err
	})
	d = w.cpo(t, workload, func(d *appsv1.Deployment) error {
		if got := envOf(d, "AZURE_CLIENT_ID"); got != azureClient {
			return fmt.Errorf("the client ID is %s", got)
		}
		return nil
	})
	if got := envOf(d, "AZURE_TENANT_ID"); got != azureTenant {
		t.Errorf("the tenant is %s", got)
	}
	containers := d.Spec.Template.Spec.Containers
	file := envOf(d, "AZURE_FEDERATED_TOKEN_FILE")
	if len(containers) != 2 || !slices.Contains(containers[1].Args, "--token-file="+file) || !strings.HasPrefix(file, "/var/run/secrets/openshift/") {
		t.Errorf("the token is to be in %s, and the containers are %+v", file, containers)
	}

	// Ours asks no cloud.
	for _, hc := range []*hyperv1.HostedCluster{managed, workload} {
		change(t, w, hc, func(hc *hyperv1.HostedCluster) {
			hc.Annotations[hyperv1.ControlPlaneOperatorImageAnnotation] = ownImage
		})
		w.cpo(t, hc, none)
		w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	}
}

package hostedcluster

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/internal/test/golden"
)

func onAWS(hc *hyperv1.HostedCluster) {
	hc.Spec.Platform = hyperv1.PlatformSpec{Type: hyperv1.AWSPlatform, AWS: &hyperv1.AWSPlatformSpec{Region: "eu-west-1"}}
}

// HyperShift's control-plane-operator keeps what it signs in to AWS with, to the byte.
func TestDeploymentOnAWS(t *testing.T) {
	got := mustRender(t, nil, func(w *workload) { onAWS(w.hc) })
	golden.Compare(t, filepath.Join("testdata", "deployment-aws.yaml"), got, *update)
}

// On Azure it keeps the volumes of its managed identities.
func TestDeploymentOnAzure(t *testing.T) {
	got := mustRender(t, nil, func(w *workload) {
		w.Cloud = &cloudAccess{Platform: hyperv1.AzurePlatform, Classes: []string{classOperator, classKMS}}
	})
	golden.Compare(t, filepath.Join("testdata", "deployment-azure.yaml"), got, *update)
}

// Credentials are for HyperShift's control-plane-operator on the platforms that have them.
func TestCloudAccess(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*workload)
		env    []string // in order
		volume string
	}{
		"no platform": {func(*workload) {}, nil, ""},
		"AWS": {func(w *workload) { onAWS(w.hc) },
			[]string{"AWS_SHARED_CREDENTIALS_FILE=/etc/provider/credentials", "AWS_REGION=eu-west-1", "AWS_SDK_LOAD_CONFIG=true"}, "provider-creds"},
		"GCP": {func(w *workload) {
			w.hc.Spec.Platform = hyperv1.PlatformSpec{Type: hyperv1.GCPPlatform, GCP: &hyperv1.GCPPlatformSpec{Project: "acme-one", Region: "europe-west3"}}
		}, []string{"GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/application_default_credentials.json", "GOOGLE_CLOUD_PROJECT=acme-one", "GCP_REGION=europe-west3"}, "gcp-credentials"},
		"AWS without its part of the spec": {func(w *workload) { w.hc.Spec.Platform.Type = hyperv1.AWSPlatform }, nil, ""},
		"our control-plane-operator":       {func(w *workload) { onAWS(w.hc); w.ControlPlaneOperatorImage = testImage }, nil, ""},
		"our own image":                    {func(w *workload) { onAWS(w.hc); w.OperatorImage = testImage }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := render(t, nil, c.change)
			if err != nil {
				t.Fatal(err)
			}
			pod := d.Spec.Template.Spec
			var env []string
			for _, v := range pod.Containers[0].Env {
				if strings.HasPrefix(v.Name, "AWS_") || strings.HasPrefix(v.Name, "G") || strings.HasPrefix(v.Name, "AZURE_") {
					env = append(env, v.Name+"="+v.Value)
				}
			}
			if !slices.Equal(env, c.env) {
				t.Errorf("variables %q, want %q", env, c.env)
			}
			i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Secret != nil })
			if got := len(pod.Containers); got != 1 && c.volume == "" || got != 2 && c.volume != "" || (i < 0) != (c.volume == "") {
				t.Fatalf("%d containers, volumes %v", got, pod.Volumes)
			}
			if i < 0 {
				return
			}
			if v := pod.Volumes[i]; v.Name != c.volume || v.Secret.SecretName != "control-plane-operator-creds" || !*v.Secret.Optional {
				t.Errorf("credentials are %+v", v)
			}
			if pod.Containers[1].Image != testImage || !slices.Contains(pod.Containers[1].Args, "--kubeconfig-secret-namespace=clusters-prod-one") {
				t.Errorf("the token minter is %+v", pod.Containers[1])
			}
		})
	}
}

// The programs that HyperShift's control-plane-operator runs in other pods are in its own
// image, of all releases that are rolled out.
func TestUtilitiesImage(t *testing.T) {
	d, err := render(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SOCKS5_PROXY_IMAGE", "AVAILABILITY_PROBER_IMAGE", "TOKEN_MINTER_IMAGE"} {
		if got := envOf(d, name); got != testImage {
			t.Errorf("%s is %s, want %s", name, got, testImage)
		}
	}
}

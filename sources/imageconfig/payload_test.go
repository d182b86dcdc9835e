package imageconfig_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/sources/imageconfig"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
)

// What is blocked is judged by the release that the cluster runs, which the source reads
// where something is blocked.
func TestPayload(t *testing.T) {
	c := cluster.Start(t)
	version := schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
	const crds = "config/v1/zz_generated.crd-manifests/"
	c.Install(t, cluster.OpenShiftCRD(t, crds+"0000_10_config-operator_01_images.crd.yaml"))
	images := c.Dynamic(t).Resource(version.WithResource("images"))
	if _, err := images.Create(t.Context(), kubetest.Object(version, "Image", "cluster", map[string]any{
		"registrySources": map[string]any{"blockedRegistries": []any{"quay.io"}},
	}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	src, err := imageconfig.Factory(imageconfig.Config{REST: c.Config()}).Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := src.Load(t.Context()); err != nil || len(p.Blocked) != 1 || len(p.Payloads) != 0 {
		t.Fatal("without ClusterVersions: ", p, err)
	}

	c.Install(t, cluster.OpenShiftCRD(t, crds+"0000_00_cluster-version-operator_01_clusterversions-Default.crd.yaml"))
	versions := c.Dynamic(t).Resource(version.WithResource("clusterversions"))
	o, err := versions.Create(t.Context(), kubetest.Object(version, "ClusterVersion", "version", map[string]any{
		"clusterID": "8a2d6e2c-0f3a-4f0e-9d1c-2b6a4f1f7c11",
	}), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o.Object["status"] = map[string]any{
		"desired": map[string]any{"version": "4.17.3", "image": "quay.io/ocp/release:v1"}, "observedGeneration": int64(1), "versionHash": "x", "availableUpdates": nil,
	}
	if _, err := versions.UpdateStatus(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	p, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Payloads) != 1 || p.Payloads[0].Image.String() != "quay.io/ocp/release:v1" || p.Payloads[0].Origin != "clusterversion/version" {
		t.Errorf("payloads %v", p.Payloads)
	}
}

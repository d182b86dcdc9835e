package hostedcluster

import (
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

const openShiftCRDs = "config/v1/zz_generated.crd-manifests/"

// The management cluster blocks the registry that its own release is from, without a mirror
// for it. Nodes drop that scope, and so HostedClusters get their releases from there. A scope
// that its release does not lie in stays blocked, whatever release a HostedCluster names.
func TestBlockedScopeOfOwnRelease(t *testing.T) {
	for name, c := range map[string]struct {
		own    string // the repository of the management cluster's release on the mirror
		status metav1.ConditionStatus
	}{
		"its own registry":   {"elsewhere/release", metav1.ConditionTrue},
		"another registry's": {"", metav1.ConditionFalse},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Install(t, cluster.OpenShiftCRD(t, openShiftCRDs+"0000_10_config-operator_01_images.crd.yaml"))
			w.Install(t, cluster.OpenShiftCRD(t, openShiftCRDs+"0000_00_cluster-version-operator_01_clusterversions-Default.crd.yaml"))
			running := "other.example.com/ocp/release:v1"
			if c.own != "" {
				running = w.mirror.Host() + "/" + c.own + ":v1"
			}
			w.runs(t, running)
			hc := w.hostedCluster("one")
			hc.Spec.Release.Image = w.mirror.Host() + "/mirror/release:4.17.3"
			w.create(t, &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "config.openshift.io/v1", "kind": "Image", "metadata": map[string]any{"name": "cluster"},
				"spec": map[string]any{"registrySources": map[string]any{"blockedRegistries": []any{w.mirror.Host()}}},
			}}, w.pullSecret(w.auth(password)), hc)
			w.operate(t, nil)
			w.says(t, hc, hyperv1.ValidReleaseImage, c.status, "", "")
			if n := w.mirror.Count(); (n > 0) != (c.status == metav1.ConditionTrue) {
				t.Errorf("the registry got %d requests", n)
			}
		})
	}
}

// runs makes the ClusterVersion of a cluster that runs a release.
func (w *world) runs(t *testing.T, image string) {
	t.Helper()
	version := schema.GroupVersionResource{Group: "config.openshift.io", Version: "v1", Resource: "clusterversions"}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "config.openshift.io/v1", "kind": "ClusterVersion", "metadata": map[string]any{"name": "version"},
		"spec": map[string]any{"clusterID": "8a2d6e2c-0f3a-4f0e-9d1c-2b6a4f1f7c11"},
	}}
	w.create(t, o)
	o.Object["status"] = map[string]any{
		"desired": map[string]any{"version": "4.17.3", "image": image}, "observedGeneration": int64(1), "versionHash": "x", "availableUpdates": nil,
	}
	if _, err := w.Dynamic(t).Resource(version).UpdateStatus(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

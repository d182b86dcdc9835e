package cluster_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/cluster"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
)

// All kinds under one spec pass the suite of a single one, with the other three absent.
func TestCluster(t *testing.T) {
	version := schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
	kubetest.Run(t, kubetest.Case{
		Factory:  cluster.Factory,
		CRD:      "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml",
		Resource: version.WithResource("imagedigestmirrorsets"),
		Also: []schema.GroupVersionResource{
			version.WithResource("imagetagmirrorsets"), version.WithResource("images"),
			{Group: "operator.openshift.io", Version: "v1alpha1", Resource: "imagecontentsourcepolicies"},
		},
		Names: [2]string{"a", "b"},
		Object: func(name, location string) *unstructured.Unstructured {
			return kubetest.Object(version, "ImageDigestMirrorSet", name, map[string]any{
				"imageDigestMirrors": []any{map[string]any{"source": "quay.io/acme", "mirrors": []any{location + "/acme"}}},
			})
		},
		Says: func(rules *policy.Rules, location string) bool {
			return kubetest.HasMirror(rules, kubetest.Digest(), location) && !kubetest.HasMirror(rules, kubetest.Tag(), location)
		},
		Origin: func(name string) string { return "imagedigestmirrorset/" + name + "#1" },
	})
}

package itms_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
	"github.com/mirrorchain/mirrorchain/sources/itms"
)

func TestCluster(t *testing.T) {
	version := schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
	kubetest.Run(t, kubetest.Case{
		Factory:  itms.Factory,
		CRD:      "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagetagmirrorsets.crd.yaml",
		Resource: version.WithResource("imagetagmirrorsets"),
		Names:    [2]string{"a", "b"},
		Object: func(name, location string) *unstructured.Unstructured {
			return kubetest.Object(version, "ImageTagMirrorSet", name, map[string]any{
				"imageTagMirrors": []any{map[string]any{"source": "quay.io/acme", "mirrors": []any{location + "/acme"}}},
			})
		},
		Says: func(rules *policy.Rules, location string) bool {
			return kubetest.HasMirror(rules, kubetest.Tag(), location) && !kubetest.HasMirror(rules, kubetest.Digest(), location)
		},
		Origin: func(name string) string { return "imagetagmirrorset/" + name + "#1" },
	})
}

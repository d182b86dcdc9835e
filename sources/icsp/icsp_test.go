package icsp_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/icsp"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
)

func TestCluster(t *testing.T) {
	version := schema.GroupVersion{Group: "operator.openshift.io", Version: "v1alpha1"}
	kubetest.Run(t, kubetest.Case{
		Factory:  icsp.Factory,
		CRD:      "operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml",
		Resource: version.WithResource("imagecontentsourcepolicies"),
		Names:    [2]string{"a", "b"},
		Object: func(name, location string) *unstructured.Unstructured {
			return kubetest.Object(version, "ImageContentSourcePolicy", name, map[string]any{
				"repositoryDigestMirrors": []any{map[string]any{"source": "quay.io/acme", "mirrors": []any{location + "/acme"}}},
			})
		},
		Says: func(rules *policy.Rules, location string) bool {
			return kubetest.HasMirror(rules, kubetest.Digest(), location) && !kubetest.HasMirror(rules, kubetest.Tag(), location)
		},
		// The kind's definition checks nothing but types.
		Broken: func(name string) *unstructured.Unstructured {
			return kubetest.Object(version, "ImageContentSourcePolicy", name, map[string]any{
				"repositoryDigestMirrors": []any{map[string]any{"source": "", "mirrors": []any{"one.example.com/acme"}}},
			})
		},
		Origin: func(name string) string { return "imagecontentsourcepolicy/" + name + "#1" },
	})
}

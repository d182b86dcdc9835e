package imageconfig_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/imageconfig"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
)

func TestCluster(t *testing.T) {
	version := schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
	kubetest.Run(t, kubetest.Case{
		Factory:  imageconfig.Factory,
		CRD:      "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_images.crd.yaml",
		Resource: version.WithResource("images"),
		Names:    [2]string{"cluster"},
		Object: func(name, location string) *unstructured.Unstructured {
			return kubetest.Object(version, "Image", name, map[string]any{
				"registrySources": map[string]any{"insecureRegistries": []any{location}},
			})
		},
		Says: func(rules *policy.Rules, location string) bool {
			image := imageref.MustParse(location + "/acme/app@sha256:" + strings.Repeat("0", 64))
			candidates, err := rules.Candidates(image)
			return err == nil && len(candidates) == 1 && candidates[0].Insecure
		},
		Origin: func(name string) string { return "image/" + name + " insecureRegistries#1" },
	})
}

package peers

import (
	"strings"
	"testing"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/sources/convert"
)

// objectsOf reads the objects of a result with the API's own types; nil for a
// registries.conf.
func objectsOf(t *testing.T, result convert.Result) *policySet {
	t.Helper()
	s := &policySet{}
	for _, f := range result.Files {
		if strings.HasSuffix(f.Name, ".conf") {
			return nil
		}
		decode := func(o any) {
			if err := yaml.UnmarshalStrict([]byte(strings.TrimPrefix(string(f.Data), "---\n")), o); err != nil {
				t.Fatalf("%v\n%s", err, f.Data)
			}
		}
		switch kind, _, _ := strings.Cut(f.Name, "-"); kind {
		case "imagedigestmirrorset":
			o := &configv1.ImageDigestMirrorSet{}
			decode(o)
			s.idms = append(s.idms, o)
		case "imagetagmirrorset":
			o := &configv1.ImageTagMirrorSet{}
			decode(o)
			s.itms = append(s.itms, o)
		case "imagecontentsourcepolicy":
			o := &operatorv1alpha1.ImageContentSourcePolicy{}
			decode(o)
			s.icsp = append(s.icsp, o)
		case "image":
			o := &configv1.Image{}
			decode(o)
			s.insecure, s.blocked = o.Spec.RegistrySources.InsecureRegistries, o.Spec.RegistrySources.BlockedRegistries
		default:
			t.Fatalf("a file of no known kind: %s", f.Name)
		}
	}
	return s
}

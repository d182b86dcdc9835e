package cluster_test

import (
	"errors"
	"strings"
	"testing"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/cluster"
)

// Objects that a program has read itself are rules as those of a cluster are, in whatever
// order they come.
func TestFromObjects(t *testing.T) {
	digests := func(name string, mirrors ...configv1.ImageMirror) configv1.ImageDigestMirrorSet {
		return configv1.ImageDigestMirrorSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: configv1.ImageDigestMirrorSetSpec{
			ImageDigestMirrors: []configv1.ImageDigestMirrors{{Source: "quay.io/o", Mirrors: mirrors, MirrorSourcePolicy: configv1.NeverContactSource}},
		}}
	}
	objects := []configv1.ImageDigestMirrorSet{digests("b", "b.io/o"), digests("a", "a.io/o")}
	idms, err := cluster.FromIDMS(objects...)
	if err != nil || objects[0].Name != "b" {
		t.Fatalf("%v; the first object is %s, want b", err, objects[0].Name)
	}
	itms, err := cluster.FromITMS(configv1.ImageTagMirrorSet{ObjectMeta: metav1.ObjectMeta{Name: "t"}, Spec: configv1.ImageTagMirrorSetSpec{
		ImageTagMirrors: []configv1.ImageTagMirrors{{Source: "tags.io", Mirrors: []configv1.ImageMirror{"t.io"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	icsp, err := cluster.FromICSP(operatorv1alpha1.ImageContentSourcePolicy{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Spec: operatorv1alpha1.ImageContentSourcePolicySpec{
		RepositoryDigestMirrors: []operatorv1alpha1.RepositoryDigestMirrors{{Source: "old.io/o", Mirrors: []string{"c.io/o"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, icsp, idms, itms)
	if err != nil {
		t.Fatal(err)
	}
	sha := "@sha256:" + strings.Repeat("0", 64)
	for image, want := range map[string]string{
		"quay.io/o/x" + sha: "a.io/o/x" + sha + " b.io/o/x" + sha,
		"tags.io/x:1":       "t.io/x:1 tags.io/x:1",
		"old.io/o/x" + sha:  "c.io/o/x" + sha + " old.io/o/x" + sha,
	} {
		candidates, err := rules.Candidates(imageref.MustParse(image))
		var got []string
		for _, c := range candidates {
			got = append(got, c.Ref.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s is pulled from %v, %v; want %s", image, got, err, want)
		}
	}
}

func TestFromObjectsNamesWhatIsWrong(t *testing.T) {
	_, err := cluster.FromIDMS(configv1.ImageDigestMirrorSet{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Spec: configv1.ImageDigestMirrorSetSpec{
		ImageDigestMirrors: []configv1.ImageDigestMirrors{{Source: "quay.io/o", Mirrors: []configv1.ImageMirror{"m.io"}, MirrorSourcePolicy: "Sometimes"}},
	}})
	if e, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || !strings.Contains(e.Origin, "bad") {
		t.Errorf("a policy that there is none of: %v", err)
	}
}

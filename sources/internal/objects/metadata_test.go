package objects

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Rules and scopes know the objects that state them, with what GitOps keeps there.
func TestObjects(t *testing.T) {
	p := decode(t, `apiVersion: v1
kind: List
items:
- apiVersion: operator.openshift.io/v1alpha1
  kind: ImageContentSourcePolicy
  metadata:
    name: one
    labels: {app: &name mirrors, number: 1}
    annotations: {owner: *name, list: [no]}
  spec:
    repositoryDigestMirrors:
    - {source: quay.io/a, mirrors: [m.io/a]}
    - {source: quay.io/b, mirrors: [m.io/b]}
- apiVersion: config.openshift.io/v1
  kind: Image
  metadata: {name: cluster, labels: {app: image}}
  spec: {registrySources: {insecureRegistries: [a.io], containerRuntimeSearchRegistries: [""]}}
`)
	icsp := &policy.Object{Kind: "ImageContentSourcePolicy", Name: "one", Labels: map[string]string{"app": "mirrors", "number": "1"}, Annotations: map[string]string{"owner": "mirrors"}}
	image := &policy.Object{Kind: "Image", Name: "cluster", Labels: map[string]string{"app": "image"}}
	if len(p.Rules) != 2 || p.Rules[0].Object != p.Rules[1].Object {
		t.Fatalf("the rules of one object do not share it: %+v", p.Rules)
	}
	for _, tc := range []struct{ got, want *policy.Object }{{p.Rules[0].Object, icsp}, {p.Insecure[0].Object, image}, {p.Search[0].Object, image}} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Error(diff)
		}
	}
}

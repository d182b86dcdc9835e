package kubetest

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Object returns an object of a cluster without a namespace.
func Object(version schema.GroupVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": version.String(),
		"kind":       kind,
		"metadata":   map[string]any{"name": name},
		"spec":       spec,
	}}
}

// Digest and Tag are images of the same repository, quay.io/acme/app.
func Digest() imageref.Ref {
	return imageref.MustParse("quay.io/acme/app@sha256:" + strings.Repeat("0", 64))
}

// Tag returns the image's.
func Tag() imageref.Ref { return imageref.MustParse("quay.io/acme/app:v1") }

// HasMirror reports whether rules name a mirror on host for image.
func HasMirror(rules *policy.Rules, image imageref.Ref, host string) bool {
	candidates, err := rules.Candidates(image)
	return err == nil && slices.ContainsFunc(candidates, func(c policy.Candidate) bool {
		return c.Mirror && strings.HasPrefix(c.Ref.String(), host+"/")
	})
}

package payload

import (
	"encoding/json"
	"errors"
	"fmt"

	imagev1 "github.com/openshift/api/image/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const (
	imageStreamKind = "ImageStream"
	dockerImageKind = "DockerImage"
)

// decodeImageReferences reads the ImageStream that lists a release's images.
// Kind and version are checked and tags from elsewhere than a container image
// are skipped, as oc does (pkg/cli/admin/release, image_mapper.go).
func decodeImageReferences(b []byte) (provider.ReleaseData, error) {
	if len(b) == 0 {
		return provider.ReleaseData{}, errors.New("it is empty; want an ImageStream in JSON")
	}
	var is imagev1.ImageStream
	if err := json.Unmarshal(b, &is); err != nil {
		return provider.ReleaseData{}, fmt.Errorf("not an ImageStream in JSON: %w", err)
	}
	if is.Kind != imageStreamKind || is.APIVersion != imagev1.GroupVersion.String() {
		return provider.ReleaseData{}, fmt.Errorf("kind %q, apiVersion %q; want %s, %s", is.Kind, is.APIVersion, imageStreamKind, imagev1.GroupVersion)
	}
	if is.Name == "" {
		return provider.ReleaseData{}, errors.New("metadata.name is empty; want the release's version")
	}
	d := provider.ReleaseData{
		Version:    is.Name,
		Created:    is.CreationTimestamp.UTC(),
		Components: make([]provider.Component, 0, len(is.Spec.Tags)),
	}
	seen := make(map[string]bool, len(is.Spec.Tags))
	for i, tag := range is.Spec.Tags {
		if tag.From == nil || tag.From.Kind != dockerImageKind {
			continue
		}
		switch {
		case tag.Name == "":
			return provider.ReleaseData{}, fmt.Errorf("spec.tags[%d]: name is empty", i)
		case seen[tag.Name]:
			return provider.ReleaseData{}, fmt.Errorf("spec.tags[%d]: a second tag named %q", i, tag.Name)
		}
		seen[tag.Name] = true
		ref, err := imageref.Parse(tag.From.Name)
		if err != nil {
			return provider.ReleaseData{}, fmt.Errorf("spec.tags[%d] (%q): from.name: %w", i, tag.Name, err)
		}
		d.Components = append(d.Components, provider.Component{
			Name: tag.Name, Image: ref, Canonical: ref, Annotations: tag.Annotations,
		})
	}
	if len(d.Components) == 0 {
		return provider.ReleaseData{}, errors.New("spec.tags names no container image")
	}
	d.ComponentVersions = componentVersions(d.Components)
	return d, nil
}

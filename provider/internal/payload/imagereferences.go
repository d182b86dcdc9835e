package payload

import (
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
)

const (
	imageStreamKind    = "ImageStream"
	imageStreamVersion = "image.openshift.io/v1"
	dockerImageKind    = "DockerImage"

	// maxTags is fifty times what the largest releases have, and maxValues what so
	// many tags come to when written out as oc does.
	maxTags   = 10_000
	maxValues = 200_000
)

// imageStream is what is read of an ImageStream (github.com/openshift/api/image/v1).
// The rest of one has lists of large structs that anybody can fill with a few
// bytes an element, and says nothing here.
type imageStream struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name              string      `json:"name"`
		CreationTimestamp metav1.Time `json:"creationTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Tags tags `json:"tags"`
	} `json:"spec"`
}

type tags []tag

type tag struct {
	Name        string            `json:"name"`
	Annotations map[string]string `json:"annotations"`
	From        *struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"from"`
}

func (l *tags) UnmarshalJSON(b []byte) error {
	list, err := jsonlimit.Objects[tag](b, maxTags)
	if err != nil {
		return fmt.Errorf("spec.tags: %w", err)
	}
	*l = list
	return nil
}

// decodeImageReferences reads the ImageStream that lists a release's images.
// Kind and version are checked and tags from elsewhere than a container image
// are skipped, as oc does (pkg/cli/admin/release, image_mapper.go).
func decodeImageReferences(b []byte) (provider.ReleaseData, error) {
	if len(b) == 0 {
		return provider.ReleaseData{}, errors.New("it is empty; want an ImageStream in JSON")
	}
	if err := jsonlimit.Values(b, maxValues); err != nil {
		return provider.ReleaseData{}, err
	}
	var is imageStream
	if err := json.Unmarshal(b, &is); err != nil {
		return provider.ReleaseData{}, fmt.Errorf("not an ImageStream in JSON: %w", err)
	}
	if is.Kind != imageStreamKind || is.APIVersion != imageStreamVersion {
		return provider.ReleaseData{}, fmt.Errorf("kind %q, apiVersion %q; want %s, %s", is.Kind, is.APIVersion, imageStreamKind, imageStreamVersion)
	}
	if is.Metadata.Name == "" {
		return provider.ReleaseData{}, errors.New("metadata.name is empty; want the release's version")
	}
	if !version.MatchString(is.Metadata.Name) { // HyperShift parses it, and it is printed
		return provider.ReleaseData{}, fmt.Errorf("metadata.name %.100q is no semantic version (semver.org); want one such as 4.17.3", is.Metadata.Name)
	}
	d := provider.ReleaseData{
		Version:    is.Metadata.Name,
		Created:    is.Metadata.CreationTimestamp.UTC(),
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

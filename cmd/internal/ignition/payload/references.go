package payload

import (
	"encoding/json"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// imageReferences is where that file is below config.
const imageReferences = "release-manifests/image-references"

// The parts of an ImageStream that machine-config-operator reads.
type (
	imageStream struct {
		Kind       string     `json:"kind"`
		APIVersion string     `json:"apiVersion"`
		Metadata   streamMeta `json:"metadata"`
		Spec       streamSpec `json:"spec"`
	}
	streamMeta struct {
		Name              string `json:"name"`
		CreationTimestamp string `json:"creationTimestamp,omitempty"`
	}
	streamSpec struct {
		Tags []streamTag `json:"tags"`
	}
	streamTag struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations,omitempty"`
		From        streamFrom        `json:"from"`
	}
	streamFrom struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	}
)

// encodeReferences returns the file image-references of r for nodes. It has the references
// that may be handed on, and none of the places that this process pulls from.
func encodeReferences(r *provider.Release) ([]byte, error) {
	s := imageStream{Kind: "ImageStream", APIVersion: "image.openshift.io/v1", Metadata: streamMeta{Name: r.Version()}}
	if t := r.Created(); !t.IsZero() {
		s.Metadata.CreationTimestamp = t.UTC().Format(time.RFC3339)
	}
	for c := range r.Components() {
		s.Spec.Tags = append(s.Spec.Tags, streamTag{
			Name: c.Name, Annotations: c.Annotations,
			From: streamFrom{Kind: "DockerImage", Name: c.Image.String()},
		})
	}
	return json.MarshalIndent(s, "", "  ")
}

package testpayload

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Image is an image or an index, ready to be served. It is not to be modified.
type Image struct {
	MediaType string            // of Manifest
	Digest    string            // of Manifest
	Manifest  []byte            // as it is served
	Platform  provider.Platform // zero for an index
	// Blobs are the config, then the layers from the bottom up. An index has none.
	Blobs []Blob
	// Children are the images of an index.
	Children []Image
}

// Config returns the config blob.
func (i Image) Config() Blob { return i.Blobs[0] }

// Layers returns the layers, from the bottom up.
func (i Image) Layers() []Blob { return i.Blobs[1:] }

// Top returns the topmost layer: the release layer of a release.
func (i Image) Top() Blob { return i.Blobs[len(i.Blobs)-1] }

// Spec describes an image by its layers.
type Spec struct {
	// Layers from the bottom up.
	Layers []Layer
	// Base are blobs below Layers, such as [VirtualLayer] makes.
	Base []Blob
	// Docker asks for Docker's media types instead of OCI's.
	Docker bool
	// Platform is that of the config; zero is linux/amd64.
	Platform provider.Platform
	Labels   map[string]string
	// Created is the config's time; zero is the Unix epoch.
	Created time.Time
	// Config, if not nil, is the config blob as it is.
	Config []byte
	// Annotations are the manifest's.
	Annotations map[string]string
}

type imageConfig struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Variant      string    `json:"variant,omitempty"`
	Config       struct {
		Labels map[string]string `json:"Labels,omitempty"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        *Descriptor       `json:"config,omitempty"`
	Layers        []Descriptor      `json:"layers,omitempty"`
	Manifests     []Descriptor      `json:"manifests,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// Image builds the image. It fails for an entry that no tar header can hold.
func (s Spec) Image() (Image, error) {
	p := platformOf(s.Platform)
	c := imageConfig{Created: s.Created.UTC(), Architecture: p.Architecture, OS: p.OS, Variant: p.Variant}
	if s.Created.IsZero() {
		c.Created = time.Unix(0, 0).UTC()
	}
	c.Config.Labels = maps.Clone(s.Labels)
	c.RootFS.Type = "layers"

	blobs := []Blob{{}} // the config, once the layers are known
	for _, b := range s.Base {
		blobs = append(blobs, b)
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, b.Digest)
	}
	for i, l := range s.Layers {
		b, diff, err := l.blob(s.Docker)
		if err != nil {
			return Image{}, fmt.Errorf("layer %d: %w", i, err)
		}
		blobs = append(blobs, b)
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, diff)
	}
	config := s.Config
	if config == nil {
		config = encode(c)
	}
	m := manifest{SchemaVersion: 2, MediaType: OCIManifest, Annotations: s.Annotations}
	blobs[0] = NewBlob(OCIConfig, config)
	if s.Docker {
		m.MediaType = DockerManifest
		blobs[0] = NewBlob(DockerConfig, config)
	}
	m.Config = &blobs[0].Descriptor
	for _, b := range blobs[1:] {
		m.Layers = append(m.Layers, b.Descriptor)
	}
	img := Raw(m.MediaType, encode(m))
	img.Blobs, img.Platform = blobs, provider.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
	return img, nil
}

// Raw returns a manifest as it is, without blobs: for manifests that are wrong.
func Raw(mediaType string, body []byte) Image {
	return Image{MediaType: mediaType, Digest: Digest(body), Manifest: body}
}

// Index returns an index over images, in their order: a Docker manifest list if docker
// is set, else an OCI index. Each descriptor has its image's platform.
func Index(docker bool, images ...Image) Image {
	m := manifest{SchemaVersion: 2, MediaType: OCIIndex}
	if docker {
		m.MediaType = DockerList
	}
	for _, i := range images {
		d := Descriptor{MediaType: i.MediaType, Digest: i.Digest, Size: int64(len(i.Manifest))}
		if !i.Platform.IsZero() {
			d.Platform = platformOf(i.Platform)
		}
		m.Manifests = append(m.Manifests, d)
	}
	img := Raw(m.MediaType, encode(m))
	img.Children = slices.Clone(images)
	return img
}

// Must returns img, and panics if err is not nil.
func Must(img Image, err error) Image {
	if err != nil {
		panic(err)
	}
	return img
}

func encode(v any) []byte {
	b, err := json.MarshalIndent(v, "", "   ")
	if err != nil { // nothing we encode can fail
		panic(err)
	}
	return b
}

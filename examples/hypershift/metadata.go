package hypershift

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// metadata is the ImageMetadataProvider of a Registry.
type metadata struct {
	images   provider.ImageProvider
	contents provider.ContentProvider
}

// ImageMetadata returns the config of the image for linux and the program's own
// architecture.
func (m metadata) ImageMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, error) {
	config, _, err := m.config(ctx, image, pullSecret)
	return config, err
}

func (m metadata) config(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, provider.Image, error) {
	req, err := request(image, pullSecret)
	if err != nil {
		return nil, nil, err
	}
	img, err := m.images.Image(ctx, req)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to obtain root manifest for %s: %w", image, err)
	}
	data, err := img.Config(ctx)
	config := new(ImageConfig)
	if err == nil {
		err = json.Unmarshal(data, config)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("failed to obtain image configuration for %s: %w", image, err)
	}
	return config, img, nil
}

// GetManifest returns the manifest, or the index if the image has one: in one request.
func (m metadata) GetManifest(ctx context.Context, image string, pullSecret []byte) (Manifest, error) {
	content, err := m.content(ctx, image, pullSecret)
	if err != nil {
		return nil, err
	}
	return parse(image, content)
}

func (m metadata) content(ctx context.Context, image string, pullSecret []byte) (provider.Content, error) {
	req, err := request(image, pullSecret)
	if err != nil {
		return nil, err
	}
	content, err := m.contents.Content(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("failed to get manifest for %s: %w", image, err)
	}
	return content, nil
}

// GetDigest returns the digest, and the reference by it: that of the image, never that of
// the mirror which served it. A reference that has a digest asks nobody.
func (m metadata) GetDigest(ctx context.Context, image string, pullSecret []byte) (string, *imageref.Ref, error) {
	req, err := request(image, pullSecret)
	if err != nil {
		return "", nil, err
	}
	if digest := req.Image.Digest(); digest != "" {
		return digest, &req.Image, nil
	}
	content, err := m.content(ctx, image, pullSecret)
	if err != nil {
		return "", nil, err
	}
	ref, err := req.Image.WithDigest(content.Digest())
	return content.Digest(), &ref, err
}

// GetMetadata returns the config and the layers of the image that ImageMetadata describes.
func (m metadata) GetMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, []Descriptor, BlobStore, error) {
	config, img, err := m.config(ctx, image, pullSecret)
	if err != nil {
		return nil, nil, nil, err
	}
	ref, err := imageref.MustParse(image).WithDigest(img.Digest())
	if err != nil {
		return nil, nil, nil, err
	}
	content, err := m.content(ctx, ref.String(), pullSecret)
	if err != nil {
		return nil, nil, nil, err
	}
	parsed, err := parse(image, content)
	if err != nil {
		return nil, nil, nil, err
	}
	return config, parsed.Layers, blobs{content, parsed.Layers}, nil
}

// GetOverride returns the reference that the image is read at: a mirror that has it, or the
// image itself.
func (m metadata) GetOverride(ctx context.Context, image string, pullSecret []byte) (*imageref.Ref, error) {
	content, err := m.content(ctx, image, pullSecret)
	if err != nil {
		return nil, err
	}
	ref := content.PulledFrom()
	return &ref, nil
}

// manifest is a [Manifest].
type manifest struct {
	Config    *Descriptor  `json:"config"`
	Layers    []Descriptor `json:"layers"`
	Manifests []Descriptor `json:"manifests"` // of an index
	content   provider.Content
}

func parse(image string, content provider.Content) (*manifest, error) {
	m := &manifest{content: content}
	if err := json.Unmarshal(content.Manifest(), m); err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", image, err)
	}
	return m, nil
}

// References returns the images of an index; else the config, then the layers.
func (m *manifest) References() []Descriptor {
	if m.Config == nil {
		return m.Manifests
	}
	return append([]Descriptor{*m.Config}, m.Layers...)
}

// Payload returns the manifest as the registry has it.
func (m *manifest) Payload() (string, []byte, error) {
	return m.content.MediaType(), m.content.Manifest(), nil
}

// blobs is a [BlobStore] of the layers of one image.
type blobs struct {
	content provider.Content
	layers  []Descriptor
}

// Open opens a layer where the manifest was read.
func (b blobs) Open(ctx context.Context, digest string) (io.ReadCloser, error) {
	for _, layer := range b.layers {
		if layer.Digest == digest {
			return b.content.Blob(ctx, digest, layer.Size, 0)
		}
	}
	return nil, fmt.Errorf("%s has no layer %s", b.content.PulledFrom(), digest)
}

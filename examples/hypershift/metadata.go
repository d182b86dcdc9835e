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
type metadata struct{ r *Registry }

// ImageMetadata returns the config of the image for linux and the program's own
// architecture.
func (m metadata) ImageMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, error) {
	req, err := m.r.request(image, pullSecret)
	if err != nil {
		return nil, err
	}
	img, err := m.r.Images().Image(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("failed to obtain root manifest for %s: %w", image, err)
	}
	config := new(ImageConfig)
	data, err := img.Config(ctx)
	return config, decode("failed to obtain image configuration for "+image, data, err, config)
}

// decode decodes what has been read.
func decode(what string, data []byte, err error, into any) error {
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// GetManifest returns the manifest, or the index if the image has one: in one request.
func (m metadata) GetManifest(ctx context.Context, image string, pullSecret []byte) (Manifest, error) {
	_, found, err := m.manifest(ctx, image, pullSecret, false)
	return found, err
}

// manifest reads what image names, and returns the request for it too. With one, it goes on
// from an index to the manifest for the program's own platform.
func (m metadata) manifest(ctx context.Context, image string, pullSecret []byte, one bool) (provider.Request, *manifest, error) {
	req, err := m.r.request(image, pullSecret)
	if err != nil {
		return req, nil, err
	}
	found := new(manifest)
	if one {
		found.content, err = provider.ContentFor(ctx, m.r.Contents(), req)
	} else {
		found.content, err = m.r.Contents().Content(ctx, req)
	}
	if err != nil {
		return req, nil, fmt.Errorf("failed to obtain root manifest for %s: %w", image, err)
	}
	return req, found, decode("manifest of "+image, found.content.Manifest(), nil, found)
}

// GetDigest returns the digest, and the reference by it: that of the image, never that of
// the mirror which served it. A reference that has a digest asks nobody.
func (m metadata) GetDigest(ctx context.Context, image string, pullSecret []byte) (string, *imageref.Ref, error) {
	if ref, err := imageref.Parse(image); err == nil && ref.Digest() != "" {
		return ref.Digest(), &ref, nil
	}
	req, found, err := m.manifest(ctx, image, pullSecret, false)
	if err != nil {
		return "", nil, err
	}
	ref, err := req.Image.WithDigest(found.content.Digest())
	return found.content.Digest(), &ref, err
}

// GetMetadata returns the config and the layers of the image that ImageMetadata describes.
func (m metadata) GetMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, []Descriptor, BlobStore, error) {
	_, found, err := m.manifest(ctx, image, pullSecret, true)
	if err != nil {
		return nil, nil, nil, err
	}
	config := new(ImageConfig)
	data, err := provider.ReadBlob(ctx, found.content, found.Config.Digest, found.Config.Size, maxConfig)
	err = decode("failed to obtain image configuration for "+image, data, err, config)
	return config, found.Layers, found, err
}

// GetOverride returns the reference that the image is read at: a mirror that has it, or the
// image itself.
func (m metadata) GetOverride(ctx context.Context, image string, pullSecret []byte) (*imageref.Ref, error) {
	_, found, err := m.manifest(ctx, image, pullSecret, false)
	if err != nil {
		return nil, err
	}
	ref := found.content.PulledFrom()
	return &ref, nil
}

// maxConfig bounds the config of an image, in bytes.
const maxConfig = 8 << 20

// manifest is a [Manifest], and the [BlobStore] of its layers.
type manifest struct {
	Config    Descriptor   `json:"config"`
	Layers    []Descriptor `json:"layers"`
	Manifests []Descriptor `json:"manifests"` // of an index
	content   provider.Content
}

// References returns the images of an index; else the config, then the layers.
func (m *manifest) References() []Descriptor {
	if m.Config.Digest == "" {
		return m.Manifests
	}
	return append([]Descriptor{m.Config}, m.Layers...)
}

// Payload returns the manifest as the registry has it.
func (m *manifest) Payload() (string, []byte, error) {
	return m.content.MediaType(), m.content.Manifest(), nil
}

// Open opens a layer where the manifest was read.
func (m *manifest) Open(ctx context.Context, digest string) (io.ReadCloser, error) {
	for _, layer := range m.Layers {
		if layer.Digest == digest {
			return m.content.Blob(ctx, digest, layer.Size, 0)
		}
	}
	return nil, fmt.Errorf("%s has no layer %s", m.content.PulledFrom(), digest)
}

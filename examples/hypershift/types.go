// Package hypershift answers HyperShift's interfaces for releases and images from
// mirrorchain. HyperShift declares them in support/releaseinfo, support/util and
// support/globalconfig; the interfaces here have the same methods, with types that need
// none of HyperShift's packages. docs/adopting.md says what HyperShift would change.
package hypershift

import (
	"context"
	"io"

	imagev1 "github.com/openshift/api/image/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Provider finds out what is in a release.
type Provider interface {
	Lookup(ctx context.Context, image string, pullSecret []byte) (*ReleaseImage, error)
}

// ProviderWithRegistryOverrides also says what --registry-overrides states.
type ProviderWithRegistryOverrides interface {
	Provider
	// GetRegistryOverrides returns target by source.
	GetRegistryOverrides() map[string]string
}

// ProviderWithOpenShiftImageRegistryOverrides also says what the mirror policies state.
type ProviderWithOpenShiftImageRegistryOverrides interface {
	ProviderWithRegistryOverrides
	// GetOpenShiftImageRegistryOverrides returns the mirrors of each source, in order.
	GetOpenShiftImageRegistryOverrides() map[string][]string
	// GetMirroredReleaseImage returns the mirror of the release.
	GetMirroredReleaseImage() string
}

// ImageMetadataProvider says what an image is, and where it is.
type ImageMetadataProvider interface {
	// ImageMetadata returns the config of an image.
	ImageMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, error)
	// GetManifest returns a manifest or an index.
	GetManifest(ctx context.Context, image string, pullSecret []byte) (Manifest, error)
	// GetDigest returns the digest of an image, and the reference by it.
	GetDigest(ctx context.Context, image string, pullSecret []byte) (string, *imageref.Ref, error)
	// GetMetadata returns the config and the layers of an image, and what opens them.
	GetMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, []Descriptor, BlobStore, error)
	// GetOverride returns the reference that an image is read at.
	GetOverride(ctx context.Context, image string, pullSecret []byte) (*imageref.Ref, error)
}

// RegistryProvider holds both, and keeps them up to date.
type RegistryProvider interface {
	// GetMetadataProvider returns the provider of images.
	GetMetadataProvider() ImageMetadataProvider
	// GetReleaseProvider returns the provider of releases.
	GetReleaseProvider() ProviderWithOpenShiftImageRegistryOverrides
	// Reconcile brings both up to date.
	Reconcile(ctx context.Context, c client.Client) error
}

// ReleaseImage is a release. It belongs to the caller of Lookup.
type ReleaseImage struct {
	*imagev1.ImageStream // what image-references states, with --registry-overrides applied
	// PulledFrom is where the release was read.
	PulledFrom string

	release *provider.Release
}

// Manifest is distribution.Manifest.
type Manifest interface {
	// References returns what the manifest names.
	References() []Descriptor
	// Payload returns the manifest as the registry has it.
	Payload() (mediaType string, payload []byte, err error)
}

// Descriptor names a config, a layer, or an image of an index, as a manifest does: by
// MediaType, Digest ("sha256:...") and Size.
type Descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"` // in bytes
	Platform  *Platform `json:"platform,omitempty"`
}

// Platform is what an image of an index is for: OS and Architecture in the words of Go.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// ImageConfig is what an image says of itself. OS and Architecture are in the words of Go.
type ImageConfig struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	// Config is what a container of the image starts with.
	Config struct {
		Labels map[string]string
		Env    []string
	} `json:"config"`
}

// BlobStore opens the layers of an image. A reader verifies the digest, and its last error
// says so if it is wrong.
type BlobStore interface {
	Open(ctx context.Context, digest string) (io.ReadCloser, error)
}

// Package hypershift answers HyperShift's interfaces for releases and images from
// mirrorchain. HyperShift declares them in support/releaseinfo, support/util and
// support/globalconfig; the interfaces here have the same methods, with types that need
// none of HyperShift's packages. docs/adopting.md says what HyperShift would change.
package hypershift

import (
	"context"
	"io"

	"github.com/coreos/stream-metadata-go/stream"
	imagev1 "github.com/openshift/api/image/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	ImageMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, error)
	GetManifest(ctx context.Context, image string, pullSecret []byte) (Manifest, error)
	GetDigest(ctx context.Context, image string, pullSecret []byte) (string, *imageref.Ref, error)
	GetMetadata(ctx context.Context, image string, pullSecret []byte) (*ImageConfig, []Descriptor, BlobStore, error)
	GetOverride(ctx context.Context, image string, pullSecret []byte) (*imageref.Ref, error)
}

// RegistryProvider holds both, and keeps them up to date.
type RegistryProvider interface {
	GetMetadataProvider() ImageMetadataProvider
	GetReleaseProvider() ProviderWithOpenShiftImageRegistryOverrides
	Reconcile(ctx context.Context, c client.Client) error
}

// ReleaseImage is a release. It belongs to the caller of Lookup.
type ReleaseImage struct {
	*imagev1.ImageStream // what image-references states, with --registry-overrides applied
	// PulledFrom is where the release was read.
	PulledFrom string

	canonical map[string]string
	versions  map[string]string
	stream    func(name string) (*stream.Stream, error)
}

// Manifest is distribution.Manifest.
type Manifest interface {
	References() []Descriptor
	Payload() (mediaType string, payload []byte, err error)
}

// Descriptor names a config, a layer, or an image of an index.
type Descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"` // in bytes
	Platform  *Platform `json:"platform,omitempty"`
}

// Platform is what an image of an index is for.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// ImageConfig is what an image says of itself.
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

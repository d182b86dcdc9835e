// Package payload decodes the files that make an image a release: what is in it,
// when it was put together and which versions it updates from.
//
// It sees bytes that were verified and limited already. It reads no image,
// follows no reference and knows no mirror; provider/registry and its like do,
// and hand over what they found under the names here.
package payload

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider"
)

// The files of a release that are read, by their path in the image.
const (
	ImageReferences = "release-manifests/image-references"
	Metadata        = "release-manifests/release-metadata"
	BootImages      = "release-manifests/0000_50_installer_coreos-bootimages.yaml"
)

// Files are the contents of those files.
type Files struct {
	ImageReferences []byte // must be there
	Metadata        []byte // nil if the release has none
	BootImages      []byte // nil if the release has none
}

// Decode reads the files of a release: Version, Created, Components,
// ComponentVersions, Metadata, ImageReferences and BootImages of the result. What describes the
// lookup (Image, Digest and so on) is the caller's to fill in.
//
// An error names the file and the entry that is wrong. A release is read whole or
// not at all: one whose components cannot all be named must not be handed on as
// if it had fewer.
//
// The files are not copied. BootImages is not looked into; package bootimages does that.
func Decode(f Files) (provider.ReleaseData, error) {
	d, err := decodeImageReferences(f.ImageReferences)
	if err != nil {
		return provider.ReleaseData{}, fmt.Errorf("%s: %w", ImageReferences, err)
	}
	if f.Metadata != nil {
		if d.Metadata, err = decodeMetadata(f.Metadata); err != nil {
			return provider.ReleaseData{}, fmt.Errorf("%s: %w", Metadata, err)
		}
	}
	d.ImageReferences, d.BootImages = f.ImageReferences, f.BootImages
	return d, nil
}

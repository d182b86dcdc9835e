package testpayload

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Media types of manifests and indexes.
const (
	OCIManifest    = "application/vnd.oci.image.manifest.v1+json"
	OCIIndex       = "application/vnd.oci.image.index.v1+json"
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// Media types of config and layer blobs.
const (
	OCIConfig    = "application/vnd.oci.image.config.v1+json"
	DockerConfig = "application/vnd.docker.container.image.v1+json"

	OCILayer        = "application/vnd.oci.image.layer.v1.tar"
	OCILayerGzip    = "application/vnd.oci.image.layer.v1.tar+gzip"
	OCILayerZstd    = "application/vnd.oci.image.layer.v1.tar+zstd"
	DockerLayer     = "application/vnd.docker.image.rootfs.diff.tar"
	DockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	DockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd"
)

// Descriptor is how a manifest names content, in the fields and the order of
// the OCI image specification: MediaType, Digest and Size say what it is,
// Platform whom an index's child is for; URLs are a foreign layer's, Annotations
// anything else.
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	URLs        []string          `json:"urls,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *Platform         `json:"platform,omitempty"`
}

// Platform is a platform in an index's descriptor: Architecture, OS and Variant as
// Go names them.
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

func platformOf(p provider.Platform) *Platform {
	if p.OS == "" {
		p.OS = "linux"
	}
	if p.Architecture == "" {
		p.Architecture = "amd64"
	}
	return &Platform{Architecture: p.Architecture, OS: p.OS, Variant: p.Variant}
}

// Digest returns the sha256 digest of b, "sha256:...".
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

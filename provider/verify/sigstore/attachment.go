package sigstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Media types of a manifest of signatures and of its layers.
const (
	ManifestMediaType  = "application/vnd.oci.image.manifest.v1+json"
	SignatureMediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	BundleMediaType    = "application/vnd.dev.sigstore.bundle.v0.3+json" // cosign 3's; nodes do not read it
)

// Annotations of a layer that holds a signature's payload.
const (
	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	rekorAnnotation       = "dev.sigstore.cosign/bundle"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	chainAnnotation       = "dev.sigstore.cosign/chain"
)

// MaxPayload is the size in bytes of the largest layer that is read, as for containers/image.
const MaxPayload = 4 << 20

// Tag returns the tag behind which the signatures of a manifest stand, in the repository
// that has the manifest: "sha256-HEX.sig" for "sha256:HEX". digest is that of the manifest of
// one platform. "" is the answer to what is no digest.
func Tag(digest string) string {
	if !digestPattern.MatchString(digest) {
		return ""
	}
	return strings.Replace(digest, ":", "-", 1) + ".sig"
}

// Attachment is a layer of a manifest of signatures.
type Attachment struct {
	MediaType   string            // SignatureMediaType for a signature
	Digest      string            // of Payload, verified by who read it
	Size        int64             // of Payload, in bytes, as the manifest says
	Annotations map[string]string // the signature, and what comes with it
	Payload     []byte            // what is signed
}

// ParseManifest returns the layers of the manifest behind a signature's tag, their Payload
// not filled in. mediaType is the one that the registry states. A node reads OCI image
// manifests alone.
func ParseManifest(mediaType string, data []byte) ([]Attachment, error) {
	if mediaType != ManifestMediaType {
		return nil, fmt.Errorf("the signatures are in a manifest of type %.100q; nodes read %s alone", mediaType, ManifestMediaType)
	}
	var m struct {
		Layers []struct {
			MediaType   string            `json:"mediaType"`
			Digest      string            `json:"digest"`
			Size        int64             `json:"size"`
			Annotations map[string]string `json:"annotations"`
		} `json:"layers"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("the manifest of the signatures cannot be read: %w", err)
	}
	out := make([]Attachment, 0, len(m.Layers))
	for i, l := range m.Layers {
		switch {
		case !digestPattern.MatchString(l.Digest):
			return nil, fmt.Errorf("the manifest of the signatures: the digest of layer %d is %.100q", i+1, l.Digest)
		case l.Size < 0 || l.Size > MaxPayload:
			return nil, fmt.Errorf("the manifest of the signatures: layer %d has %d bytes, more than %d", i+1, l.Size, MaxPayload)
		}
		out = append(out, Attachment{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size, Annotations: l.Annotations})
	}
	return out, nil
}

// Sentinels for [errors.Is].
var (
	// ErrNoSignature says that a signature is required and that there is none.
	ErrNoSignature = errors.New("a signature is required, and there is none")
	// ErrRejected says that there are signatures, and that none is accepted.
	ErrRejected = errors.New("no signature is accepted")
)

package provider

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ContentProvider reads manifests and blobs as they are, for programs that need more than
// a release or an image: signatures, other artifacts, the platforms of an index. Its
// contract on concurrency, contexts and errors is that of [ReleaseProvider].
type ContentProvider interface {
	// Content reads what req.Image names. If that is an index, it is the index itself,
	// and req.Platform does not matter.
	Content(ctx context.Context, req Request) (Content, error)
}

// ContentFunc is a function that is a [ContentProvider].
type ContentFunc func(ctx context.Context, req Request) (Content, error)

// Content calls f.
func (f ContentFunc) Content(ctx context.Context, req Request) (Content, error) { return f(ctx, req) }

// Content is one manifest, verified, and the blobs of the repository that it came from. It
// is safe for concurrent use.
type Content interface {
	// Manifest returns the bytes as the registry has them. They must not be changed.
	Manifest() []byte
	// MediaType returns what the manifest says of itself, else what the registry says.
	MediaType() string
	// Digest returns the digest of Manifest, "sha256:...".
	Digest() string
	// Platforms returns the entries of an index, in its order; nil for a manifest of one
	// platform. The zero Platform is one that the index does not state.
	Platforms() []PlatformDigest
	// PulledFrom returns the reference that the manifest was read at. Blobs are read
	// there too.
	PulledFrom() imageref.Ref
	// Blob reads a blob of size bytes from an offset on. A connection that breaks is
	// resumed. With offset 0 the reader verifies the digest, and its last error is of
	// class [ClassDigest] if the bytes are others: do not trust them before io.EOF.
	// With another offset the caller has to verify them, together with what was read
	// before.
	Blob(ctx context.Context, digest string, size, offset int64) (io.ReadCloser, error)
}

// PlatformDigest is an entry of an index.
type PlatformDigest struct {
	Platform Platform // what the manifest is for
	Digest   string   // the digest of the manifest, "sha256:..."
}

// Choose returns the index of the entry for p; -1 if there is none. Operating
// system, architecture and variant are compared, each on its own. If p has no
// variant, an entry without one comes before the first that has one, as oc's
// filter by os/arch takes it. If no entry is for p, the first one counts that says nothing
// of a platform, as for nodes (containers/image, OCI1IndexPublic.ChooseInstance).
func (p Platform) Choose(entries []PlatformDigest) int {
	p = p.OrDefault()
	best, unsaid := -1, -1
	for i, e := range entries {
		have := e.Platform
		if unsaid < 0 && have.IsZero() {
			unsaid = i
		}
		if have.OS != p.OS || have.Architecture != p.Architecture {
			continue
		}
		switch v := have.variant(); {
		case p.Variant != "" && v == p.variant():
			return i
		case p.Variant != "":
		case v == "":
			return i
		case best < 0:
			best = i
		}
	}
	if best < 0 {
		return unsaid
	}
	return best
}

// variant returns the variant, normalized: arm64 means v8, and nothing else (OCI
// image-index.md, "Platform Variants").
func (p Platform) variant() string {
	if p.Architecture == "arm64" && p.Variant == "v8" {
		return ""
	}
	return p.Variant
}

// ContentFor reads what req.Image names, as p does, and goes on from an index to the
// manifest for req.Platform. If the index has none, the error is of [ClassNotFound].
func ContentFor(ctx context.Context, p ContentProvider, req Request) (Content, error) {
	content, err := p.Content(ctx, req)
	if err != nil || content.Platforms() == nil {
		return content, err
	}
	entries := content.Platforms()
	i := req.Platform.Choose(entries)
	if i < 0 {
		return nil, &Error{Op: "reading the index", Ref: content.PulledFrom(), Class: ClassNotFound, Err: fmt.Errorf("it has no image for %s", req.Platform.OrDefault())}
	}
	if req.Image, err = req.Image.WithDigest(entries[i].Digest); err != nil {
		return nil, err
	}
	return p.Content(ctx, req)
}

// ReadBlob reads a blob of size bytes whole, and verifies it. If it is larger than limit
// bytes, it is not asked for, and the error is of [ClassLimit].
func ReadBlob(ctx context.Context, c Content, digest string, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, &Error{Op: "reading " + digest, Ref: c.PulledFrom(), Class: ClassLimit, Err: fmt.Errorf("%d bytes; at most %d are read", size, limit)}
	}
	blob, err := c.Blob(ctx, digest, size, 0)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(blob)
	return data, errors.Join(err, blob.Close())
}

package provider

import (
	"context"
	"io"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ContentProvider reads manifests and blobs as they are, for programs that need more than
// a release or an image: signatures, other artifacts, the platforms of an index. Its
// contract on concurrency, contexts and errors is that of [ReleaseProvider].
type ContentProvider interface {
	// Content reads what req.Image names, an index itself where that is one:
	// req.Platform does not matter.
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
	// Platforms returns the entries of an index that name a platform, in its order; nil
	// for a manifest of one platform.
	Platforms() []PlatformDigest
	// PulledFrom returns where the manifest came from, and where blobs are read.
	PulledFrom() imageref.Ref
	// Blob reads a blob of size bytes from an offset on. A connection that breaks is
	// resumed. With offset 0 the reader's last error is that of class [ClassDigest] unless
	// the bytes have the digest, so they mean nothing before io.EOF. What is read from
	// another offset is for the caller to verify, together with what was read before.
	Blob(ctx context.Context, digest string, size, offset int64) (io.ReadCloser, error)
}

// PlatformDigest is an entry of an index.
type PlatformDigest struct {
	Platform Platform // what the manifest is for
	Digest   string   // the digest of the manifest, "sha256:..."
}

package provider

import (
	"context"
	"io/fs"
	"os"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ReleaseProvider looks up release images. Implementations are safe for
// concurrent use, honour ctx while waiting, and never modify a Release they
// were given. Errors that concern a registry are, or wrap, an [*Error].
type ReleaseProvider interface {
	Lookup(ctx context.Context, req Request) (*Release, error)
}

// ReleaseFunc is a function that is a [ReleaseProvider].
type ReleaseFunc func(ctx context.Context, req Request) (*Release, error)

// Lookup calls f.
func (f ReleaseFunc) Lookup(ctx context.Context, req Request) (*Release, error) { return f(ctx, req) }

// ImageProvider reads any image the way releases are read: through the same
// rules and mirrors. Its contract on concurrency, contexts and errors is that of
// [ReleaseProvider].
type ImageProvider interface {
	Image(ctx context.Context, req Request) (Image, error)
}

// ImageFunc is a function that is an [ImageProvider].
type ImageFunc func(ctx context.Context, req Request) (Image, error)

// Image calls f.
func (f ImageFunc) Image(ctx context.Context, req Request) (Image, error) { return f(ctx, req) }

// Image is one image, its manifest read and verified, the rest read when asked.
// It is safe for concurrent use.
type Image interface {
	// Digest returns the digest of the manifest that was read, "sha256:...". If
	// an index was asked for, that is the manifest of the platform.
	Digest() string
	// PulledFrom returns the reference that the manifest was read at. The rest is
	// read there too.
	PulledFrom() imageref.Ref
	// Config returns the config blob of the image, verified. Labels are inside
	// it.
	Config(ctx context.Context) ([]byte, error)
	// Files returns the files that match any of the patterns, as a container
	// would see them: upper layers win, whiteouts delete, links are followed
	// inside the image. Patterns are those of [path.Match] on slash-separated
	// names without a leading slash, and "dir/**" is everything below dir. Each
	// layer is verified before a byte of it is handed out. A malformed pattern is
	// an error before anything is read, see [CheckPatterns].
	Files(ctx context.Context, patterns ...string) (fs.FS, error)
	// Extract writes the files that Files would have into dir, under the same names and
	// with their permissions, and holds none of them in memory. Each layer is read once,
	// to dir, and verified there before a byte of it is used. Existing files are replaced.
	//
	// dir should belong to the call: after an error it may hold some of the files. An
	// error of dir itself is, or wraps, an [*fs.PathError], and no other endpoint is
	// asked after one.
	Extract(ctx context.Context, dir *os.Root, patterns ...string) error
}

// HeadProvider asks whether an image is there, without reading it. Its contract on
// concurrency, contexts and errors is that of [ReleaseProvider]; an error of class
// [ClassNotFound] says that the registry has no such image.
type HeadProvider interface {
	// Head returns the digest of what req.Image names. If that is an index, it is
	// the digest of the index, and req.Platform does not matter. Head asks for
	// the manifest alone: it does not see that a registry has lost a layer.
	Head(ctx context.Context, req Request) (digest string, err error)
}

// HeadFunc is a function that is a [HeadProvider].
type HeadFunc func(ctx context.Context, req Request) (digest string, err error)

// Head calls f.
func (f HeadFunc) Head(ctx context.Context, req Request) (string, error) { return f(ctx, req) }

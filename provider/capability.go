package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// Opener is for authors of providers and of layers; a program that only looks up
// releases does not need it. It is an optional capability of a [ReleaseProvider]: a
// lookup in two halves. The first half reads the manifest, which is small and proves
// that the request's credentials may read it. The second half reads the content that
// the manifest names. A layer that holds this content already skips the second half.
type Opener interface {
	ReleaseProvider
	// Open reads the manifest. Its errors are those of Lookup.
	//
	// known is "" for a caller that holds nothing. A caller that opened the image
	// before, with the same credential, and still holds the content, passes what
	// [Opened].Named returned then. If the registry answers that the reference still
	// names this digest, Open may return nil and no error: the credential may read the
	// manifest, and nothing changed. This costs one small request without a body.
	// A provider or a registry that cannot answer this question reads the manifest again.
	Open(ctx context.Context, req Request, known string) (Opened, error)
}

// Opened is for authors of providers and of layers, like [Opener]. It is a lookup
// whose manifest has been read and verified.
type Opened interface {
	// Digest returns the digest of the manifest that describes the release: the
	// manifest of the platform where the reference names an index. [Release.Digest]
	// of the release is the same.
	Digest() string
	// Platform returns the platform that was chosen from an index; zero where there
	// was no index.
	Platform() Platform
	// Named returns the digest that the reference itself names: that of the index
	// where there is one, else Digest. It is the known digest of a later Open.
	Named() string
	// IndexPlatforms returns what that index has entries for; nil where there is none.
	// [Release.IndexPlatforms] of the release is the same.
	IndexPlatforms() []Platform
	// Release reads the rest.
	Release(ctx context.Context) (*Release, error)
}

// Restorer is for authors of providers and of layers; a program that only looks up
// releases does not need it. It is an optional capability of a [ReleaseProvider] that
// keeps on disk what it read: it returns releases without asking a registry.
type Restorer interface {
	// Restore returns the release whose manifest has the given digest, read from what
	// is kept. Each piece is verified by its digest, as if it came from a registry.
	// platform becomes [Release.Platform]. Content that is not kept is an error of
	// [ClassNotFound].
	//
	// Restore checks no credential. The caller must know that the request's credential
	// has read that manifest before.
	Restore(ctx context.Context, req Request, digest string, platform Platform) (*Release, error)
}

// As returns p as a T, an optional capability such as [Opener] or [Restorer]. It
// is for authors of layers. The error says which type lacks the capability.
//
// A wrapper with a method Unwrap() ReleaseProvider, such as one that embeds
// [Forward], has a capability only if the provider that it wraps has it too.
func As[T any](p ReleaseProvider) (T, error) {
	t, ok := p.(T)
	for inner := p; ok; {
		w, wraps := inner.(interface{ Unwrap() ReleaseProvider })
		if !wraps {
			return t, nil
		}
		inner = w.Unwrap()
		p = inner
		_, ok = inner.(T)
	}
	var none T
	return none, fmt.Errorf("%T does not implement %s", p, reflect.TypeFor[T]())
}

// Forward is for authors of wrappers around a [ReleaseProvider]. A wrapper that embeds
// it keeps the optional capabilities of Next, which a [ReleaseFunc] hides. It overrides
// the methods that it changes: one that changes requests overrides both Lookup and Open,
// since a layer above may call either.
type Forward struct{ Next ReleaseProvider }

var (
	_ Opener   = Forward{}
	_ Restorer = Forward{}
)

// Unwrap returns Next.
func (f Forward) Unwrap() ReleaseProvider { return f.Next }

// Lookup calls Next.
func (f Forward) Lookup(ctx context.Context, req Request) (*Release, error) {
	return f.Next.Lookup(ctx, req)
}

// Open calls Next. If that is no [Opener], it is an error.
func (f Forward) Open(ctx context.Context, req Request, known string) (Opened, error) {
	o, err := As[Opener](f.Next)
	if err != nil {
		return nil, err
	}
	return o.Open(ctx, req, known)
}

// Restore calls Next. A provider that is no [Restorer] keeps nothing.
func (f Forward) Restore(ctx context.Context, req Request, digest string, platform Platform) (*Release, error) {
	r, err := As[Restorer](f.Next)
	if err != nil {
		return nil, &Error{Op: "restoring the release", Ref: req.Image, Class: ClassNotFound, Err: errors.New("nothing is kept")}
	}
	return r.Restore(ctx, req, digest, platform)
}

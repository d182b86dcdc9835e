package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
	"github.com/mirrorchain/mirrorchain/provider/internal/layer"
	"github.com/mirrorchain/mirrorchain/provider/internal/payload"
)

var (
	_ provider.Opener          = (*Store)(nil)
	_ provider.ImageProvider   = (*Store)(nil)
	_ provider.HeadProvider    = (*Store)(nil)
	_ provider.ContentProvider = (*Store)(nil)
)

// located says where an error happened, unless it is that of the caller's context.
func located(ref imageref.Ref, op string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &provider.Error{Op: op, Ref: ref, Class: provider.ClassOf(err), Err: err}
	if inner, ok := err.(*provider.Error); ok && inner.Op == "" {
		e.Err = inner.Err
	}
	return e
}

// Lookup reads the release that req names. Credentials and rules do not matter: who may
// read the files may read what is in them.
func (s *Store) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	o, err := s.Open(ctx, req, "")
	if err != nil {
		return nil, err
	}
	return o.Release(ctx)
}

// Open reads the manifest and leaves the layers for later. It reads the manifest whatever
// is known.
func (s *Store) Open(ctx context.Context, req provider.Request, _ string) (provider.Opened, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	c, err := s.choose(ctx, req)
	if err != nil {
		return nil, err
	}
	return &opened{image{s, req.Image.Normalize(), c}, req}, nil
}

// Image reads the manifest of any image; the rest is read when it is asked for.
func (s *Store) Image(ctx context.Context, req provider.Request) (provider.Image, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	c, err := s.choose(ctx, req)
	if err != nil {
		return nil, err
	}
	return &image{s, req.Image.Normalize(), c}, nil
}

// Head reads and verifies the manifest or the index that req names. [Store.Complete] reads
// the rest too.
func (s *Store) Head(ctx context.Context, req provider.Request) (string, error) {
	c, err := s.Content(ctx, req)
	if err != nil {
		return "", err
	}
	return c.Digest(), nil
}

// Tags lists the tags of the repository that req.Image names, sorted. An unknown repository
// is an error of [provider.ClassNotFound].
func (s *Store) Tags(_ context.Context, req provider.Request) ([]string, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	all, broken := s.Names()
	var tags []string
	for _, n := range all {
		if n.Tag != "" && (n.Repository == req.Image.Name() || n.Repository == req.Image.Repository()) {
			tags = append(tags, n.Tag)
		}
	}
	switch {
	case broken != nil:
		return nil, located(req.Image, "listing tags", fail(provider.ClassMalformed, broken))
	case len(tags) == 0:
		return nil, located(req.Image, "listing tags", fail(provider.ClassNotFound, fmt.Errorf("no tag of %s is in %s", req.Image.Name(), strings.Join(s.Paths(), ", "))))
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// Content reads one manifest or index as it is.
func (s *Store) Content(ctx context.Context, req provider.Request) (provider.Content, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	_, d, err := s.named(ctx, req.Image)
	if err != nil {
		return nil, err
	}
	return &content{s, req.Image.Normalize(), d}, nil
}

// content implements [provider.Content].
type content struct {
	store *Store
	ref   imageref.Ref
	doc   *document
}

func (c *content) Manifest() []byte                     { return c.doc.body }
func (c *content) MediaType() string                    { return c.doc.MediaType }
func (c *content) Digest() string                       { return c.doc.digest }
func (c *content) Platforms() []provider.PlatformDigest { return c.doc.platforms() }
func (c *content) PulledFrom() imageref.Ref             { return c.ref }

func (c *content) Blob(ctx context.Context, digest string, size, offset int64) (io.ReadCloser, error) {
	if size < 0 || offset < 0 || offset > size {
		return nil, located(c.ref, "reading a blob", fail(provider.ClassInvalid, fmt.Errorf("no byte %d in a blob of %d bytes", offset, size)))
	}
	f, err := c.store.open(digest)
	if err != nil {
		return nil, located(c.ref, "reading a blob", err)
	}
	v, err := verify(ctx, f, digest, size)
	if err != nil {
		return nil, errors.Join(located(c.ref, "reading a blob", err), f.close())
	}
	b := &blob{verifier: v, ref: c.ref, close: f.close, whole: offset == 0}
	v.from = io.NewSectionReader(f, offset, size-offset)
	return b, nil
}

// blob verifies what is read from the start.
type blob struct {
	*verifier
	ref   imageref.Ref
	close func() error
	whole bool
}

func (b *blob) Read(p []byte) (int, error) {
	n, err := b.verifier.Read(p)
	if err == io.EOF && b.whole {
		if judged := b.verify(); judged != nil {
			err = judged
		}
	}
	if err != nil && err != io.EOF {
		err = located(b.ref, "reading "+b.digest, err)
	}
	return n, err
}

func (b *blob) Close() error { return b.close() }

// opened implements [provider.Opened].
type opened struct {
	image
	req provider.Request
}

func (o *opened) Platform() provider.Platform         { return o.manifest.platform }
func (o *opened) Named() string                       { return o.manifest.named }
func (o *opened) IndexPlatforms() []provider.Platform { return o.manifest.among }

// Release reads the layers from the top down to the one that says what is in the release.
func (o *opened) Release(ctx context.Context) (*provider.Release, error) {
	r, err := o.release(ctx)
	if err != nil {
		return nil, located(o.ref, "reading the release", err)
	}
	return r, nil
}

func (o *opened) release(ctx context.Context) (*provider.Release, error) {
	limits := layer.Limits{
		Unpacked: maxUnpacked, Entries: maxEntries, Total: maxReferences + 2*maxReleaseFile,
		File: func(name string) int64 {
			if name == payload.ImageReferences {
				return maxReferences
			}
			return maxReleaseFile
		},
	}
	s, err := layer.NewSearch(limits, []string{payload.ImageReferences, payload.Metadata, payload.BootImages}, payload.ImageReferences)
	if err != nil {
		return nil, err
	}
	if err := o.search(ctx, s); err != nil {
		return nil, err
	}
	var files payload.Files
	var ok bool
	if files.ImageReferences, ok = s.File(payload.ImageReferences); !ok {
		return nil, fail(provider.ClassMalformed, errors.New("not a release image: it has no "+payload.ImageReferences))
	}
	files.Metadata, _ = s.File(payload.Metadata)
	files.BootImages, _ = s.File(payload.BootImages)
	data, err := payload.Decode(files)
	if err != nil {
		if _, tooLarge := errors.AsType[*jsonlimit.Error](err); tooLarge {
			return nil, fail(provider.ClassLimit, err)
		}
		return nil, fail(provider.ClassMalformed, err)
	}
	data.Image, data.PulledFrom = o.req.Image, o.ref
	data.Digest, data.Platform = o.manifest.digest, o.manifest.platform
	if o.manifest.named != o.manifest.digest {
		data.IndexDigest, data.IndexPlatforms = o.manifest.named, o.manifest.among
	}
	r, err := provider.NewRelease(data)
	if err != nil {
		return nil, fail(provider.ClassMalformed, err)
	}
	return r, nil
}

package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/layer"
)

// Limits of what is read of an image, in bytes. They are the defaults of
// provider/registry.
const (
	maxConfig      = 8 << 20
	maxReferences  = 8 << 20
	maxReleaseFile = 16 << 20
	maxUnpacked    = 8 << 30
	maxFiles       = 256 << 20
	maxExtract     = 4 << 30
)

// image implements [provider.Image].
type image struct {
	store    *Store
	ref      imageref.Ref
	manifest *chosen
}

func (i *image) Digest() string           { return i.manifest.digest }
func (i *image) PulledFrom() imageref.Ref { return i.ref }

func (i *image) Config(ctx context.Context) ([]byte, error) {
	f, err := i.store.open(i.manifest.Config.Digest)
	if err != nil {
		return nil, located(i.ref, "reading the config", err)
	}
	defer f.close()
	b, err := readVerified(ctx, f, i.manifest.Config.Digest, maxConfig)
	if err != nil {
		return nil, located(i.ref, "reading the config", err)
	}
	return b, nil
}

func (i *image) Files(ctx context.Context, patterns ...string) (fs.FS, error) {
	s, err := layer.NewSearch(layer.Limits{
		Unpacked: maxUnpacked, Entries: maxEntries, Total: maxFiles, File: func(string) int64 { return maxFiles },
	}, patterns)
	if err != nil {
		return nil, err
	}
	if err := i.search(ctx, s); err != nil {
		return nil, located(i.ref, "reading the layers", err)
	}
	files, err := s.Files(ctx)
	if err != nil {
		return nil, located(i.ref, "reading the files", decodeError(err))
	}
	return files, nil
}

// Extract writes the files that match patterns into dir. Layers are read where they are:
// only what is wanted is written.
func (i *image) Extract(ctx context.Context, dir *os.Root, patterns ...string) (err error) {
	if err := provider.CheckPatterns(patterns...); err != nil {
		return err
	}
	x, err := layer.NewExtraction(layer.Limits{
		Unpacked: maxUnpacked, Entries: maxEntries, Total: maxExtract, File: func(string) int64 { return maxExtract },
	}, dir, patterns)
	if err != nil {
		return err
	}
	defer func() {
		if closed := x.Close(); err == nil {
			err = closed
		}
	}()
	if err := i.search(ctx, x.Search); err != nil {
		return located(i.ref, "reading the layers", err)
	}
	if err := x.Finish(ctx); err != nil {
		return located(i.ref, "writing the files", decodeError(err))
	}
	return nil
}

// search goes through the layers from the top until s is done.
func (i *image) search(ctx context.Context, s *layer.Search) error {
	layers := i.manifest.Layers
	for n := len(layers) - 1; n >= 0 && !s.Done(); {
		l, err := i.scan(ctx, layers[n], s)
		if err != nil {
			return located(imageref.Ref{}, fmt.Sprintf("layer %d of %d", n+1, len(layers)), err)
		}
		repeat, err := s.Add(ctx, l)
		switch {
		case err != nil:
			return decodeError(err)
		case repeat:
			n = len(layers) - 1
		default:
			n--
		}
	}
	return nil
}

// scan reads one layer. What a decoder says of it counts only once its bytes are
// verified.
func (i *image) scan(ctx context.Context, d descriptor, s *layer.Search) (*layer.Layer, error) {
	if !strings.HasPrefix(d.MediaType, "application/vnd.oci.image.layer.") && !strings.HasPrefix(d.MediaType, "application/vnd.docker.image.rootfs.") {
		return nil, fail(provider.ClassMalformed, fmt.Errorf("media type %.100q is no layer that can be read", d.MediaType))
	}
	f, err := i.store.open(d.Digest)
	if err != nil {
		return nil, err
	}
	defer f.close()
	v, err := verify(ctx, f, d.Digest, d.Size)
	if err != nil {
		return nil, err
	}
	l, err := s.Scan(ctx, v)
	if _, ok := errors.AsType[*fs.PathError](err); ok { // of the folder that is written to
		return nil, err
	}
	if judged := v.verify(); judged != nil {
		return nil, judged
	}
	return l, decodeError(err)
}

// decodeError gives an error of a decoder of verified bytes its class.
func decodeError(err error) error {
	if err == nil || provider.ClassOf(err) != provider.ClassUnknown {
		return err
	}
	if _, ok := errors.AsType[*layer.LimitError](err); ok {
		return fail(provider.ClassLimit, err)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return fail(provider.ClassMalformed, err)
}

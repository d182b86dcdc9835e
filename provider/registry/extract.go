package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/layer"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// Extract writes the files that match patterns into dir. See [provider.Image].
func (i *image) Extract(ctx context.Context, dir *os.Root, patterns ...string) (err error) {
	if err := provider.CheckPatterns(patterns...); err != nil {
		return err
	}
	l := i.p.cfg.Limits
	remaining, err := i.leftForFiles()
	if err != nil {
		return located(i.source.ref, "reading the layers", err)
	}
	e, err := layer.NewExtraction(layer.Limits{
		Unpacked: l.LayerUnpacked, Entries: l.LayerEntries, Total: remaining,
		File: func(string) int64 { return remaining },
	}, dir, patterns)
	if err != nil {
		return err
	}
	x := &extraction{image: i, to: e, dir: dir, spooled: make(map[v1.Hash]*os.File)}
	defer func() {
		if closed := x.close(); err == nil {
			err = closed
		}
	}()
	for n := len(i.manifest.layers) - 1; n >= 0 && !e.Done(); n-- {
		repeat, err := x.read(ctx, i.manifest.layers[n])
		if err != nil {
			return located(i.source.ref, fmt.Sprintf("reading layer %d of %d", n+1, len(i.manifest.layers)), err)
		}
		if repeat {
			n = len(i.manifest.layers)
		}
	}
	if err := e.Finish(ctx); err != nil {
		return located(i.source.ref, "writing the files", stoppedOr(ctx, localOr(err)))
	}
	return nil
}

// leftForFiles returns how many bytes the wanted files may have beside the layers.
func (i *image) leftForFiles() (int64, error) {
	remaining := i.p.cfg.Limits.Extract
	for _, d := range i.manifest.layers {
		if remaining -= max(0, d.Size); remaining <= 0 {
			return 0, fail(provider.ClassLimit, fmt.Errorf("the image's layers come to more than the %d bytes that it may have on disk", i.p.cfg.Limits.Extract))
		}
	}
	return remaining, nil
}

// extraction is one call of Extract. Layers are spooled: each is transferred once, and
// read from disk as often as links require.
type extraction struct {
	*image
	to      *layer.Extraction
	dir     *os.Root
	spooled map[v1.Hash]*os.File // verified
	names   []string             // of their files
}

// read adds a layer to the search. It returns true where the search has begun anew.
func (x *extraction) read(ctx context.Context, d v1.Descriptor) (repeat bool, err error) {
	f, err := x.spool(ctx, d)
	if err != nil {
		return false, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	t := x.p.decoders.slot()
	if err := t.take(ctx); err != nil {
		return false, err
	}
	defer t.leave()
	l, err := x.to.Scan(ctx, f)
	if err == nil {
		repeat, err = x.to.Add(ctx, l)
	}
	return repeat, stoppedOr(ctx, localOr(err))
}

const spoolPrefix = ".layer-"

// spool returns the layer as a verified file.
func (x *extraction) spool(ctx context.Context, d v1.Descriptor) (*os.File, error) {
	if f := x.spooled[d.Digest]; f != nil {
		return f, nil
	}
	if !isLayer(d) {
		return nil, fail(provider.ClassMalformed, fmt.Errorf("media type %q is no layer that can be read", wire.CleanText(string(d.MediaType))))
	}
	name := spoolPrefix + rand.Text()
	f, err := x.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, localOr(err)
	}
	x.names = append(x.names, name)
	err = x.p.readBlob(ctx, x.source, d, x.p.cfg.Limits.LayerCompressed, func(v *verifier) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil { // it may be read a second time
			return localOr(err)
		}
		if err := f.Truncate(0); err != nil {
			return localOr(err)
		}
		_, err := io.Copy(f, v)
		if _, ok := errors.AsType[*fs.PathError](err); ok { // of the disk; the rest is not worth reading
			return localOr(err)
		}
		return v.verify()
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x.spooled[d.Digest] = f
	return f, nil
}

// close removes all but the files wanted.
func (x *extraction) close() error {
	errs := []error{x.to.Close()}
	for _, f := range x.spooled {
		errs = append(errs, f.Close())
	}
	for _, name := range x.names {
		errs = append(errs, localOr(x.dir.Remove(name)))
	}
	return errors.Join(errs...)
}

// localOr makes an error of dir one of no endpoint's, and without the name of a file
// that is another one each time. Other errors are returned as they are.
func localOr(err error) error {
	p, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err
	}
	path := p.Path
	if strings.HasPrefix(path, spoolPrefix) {
		path = "a layer"
	}
	return &provider.Error{Class: provider.ClassUnknown, Err: &fs.PathError{Op: p.Op, Path: path, Err: p.Err}}
}

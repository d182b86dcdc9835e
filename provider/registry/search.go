package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/layer"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// A search keeps small layers as they came, so that a link in one that leads to
// what was passed already costs no second request.
const (
	keepLayer  = 4 << 20
	keepLayers = 16 << 20
)

// layersRead are those that a search read.
type layersRead struct {
	raw  map[v1.Hash][]byte // as they came, but for
	lost bool               // those that were too large
}

// search goes through an image's layers from the top until s is done.
func (p *Provider) search(ctx context.Context, src source, layers []v1.Descriptor, s *layer.Search) (layersRead, error) {
	read := layersRead{raw: make(map[v1.Hash][]byte)}
	size := int64(0)
	for i := len(layers) - 1; i >= 0 && !s.Done(); {
		d := layers[i]
		l, raw, err := p.scan(ctx, src, d, s, read.raw[d.Digest])
		if err != nil {
			return read, located(src.ref, fmt.Sprintf("reading layer %d of %d", i+1, len(layers)), err)
		}
		switch {
		case raw != nil && size+d.Size <= keepLayers:
			read.raw[d.Digest], size = raw, size+d.Size
		case read.raw[d.Digest] == nil:
			read.lost = true
		}
		repeat, err := s.Add(ctx, l)
		switch {
		case err != nil:
			return read, located(src.ref, "reading the layers", stoppedOr(ctx, err))
		case repeat:
			i = len(layers) - 1
		default:
			i--
		}
	}
	return read, nil
}

// scan reads one layer: from kept if it was kept, else from where src keeps it, else
// from the registry. It decodes while bytes come in, and judges them before it
// believes a decoder.
func (p *Provider) scan(ctx context.Context, src source, d v1.Descriptor, s *layer.Search, kept []byte) (l *layer.Layer, raw []byte, err error) {
	t := p.decoders.slot()
	defer t.leave()
	if kept == nil {
		if kept = src.stored(d); kept != nil {
			raw = kept
		}
	}
	if kept != nil {
		if err := t.take(ctx); err != nil {
			return nil, nil, err
		}
		l, err := s.Scan(ctx, bytes.NewReader(kept))
		return l, raw, stoppedOr(ctx, err)
	}
	if src.alone {
		return nil, nil, fail(provider.ClassNotFound, fmt.Errorf("%s is not kept", d.Digest))
	}
	if !isLayer(d) {
		return nil, nil, fail(provider.ClassMalformed, fmt.Errorf("media type %q is no layer that can be read", wire.CleanText(string(d.MediaType))))
	}
	err = p.readBlob(ctx, src, d, p.cfg.Limits.LayerCompressed, func(v *verifier) error {
		var from io.Reader = yieldingReader{ctx, v, t}
		// It grows with what arrives: what the manifest promises costs whoever wrote it
		// nothing.
		var keep bytes.Buffer
		if d.Size <= keepLayer {
			from = io.TeeReader(from, &keep)
		}
		scanned, err := s.Scan(ctx, from)
		if judged := p.verify(v, from, t); judged != nil {
			return judged
		}
		if e := wire.ContextError(ctx); e != nil {
			return e
		}
		l, raw = scanned, keep.Bytes()
		return decodeError(err)
	})
	if err != nil {
		return nil, nil, err
	}
	return l, raw, nil
}

// verify reads the rest, without a slot: hashing what nobody decodes is waiting
// for the network.
func (p *Provider) verify(v *verifier, from io.Reader, t *slot) error {
	if v.n <= keepLayer {
		_, _ = io.Copy(io.Discard, from)
	}
	t.leave()
	return v.verify()
}

func isLayer(d v1.Descriptor) bool {
	return d.MediaType.IsLayer() || d.MediaType == dockerZstdLayer
}

// dockerZstdLayer is in no specification; buildkit writes it.
const dockerZstdLayer = "application/vnd.docker.image.rootfs.diff.tar.zstd"

// stoppedOr gives an error of a search that involves no network its class.
func stoppedOr(ctx context.Context, err error) error {
	if e := wire.ContextError(ctx); err != nil && e != nil {
		return e
	}
	return decodeError(err)
}

// decodeError gives an error of a decoder of verified bytes its class.
func decodeError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*provider.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[*layer.LimitError](err); ok {
		return fail(provider.ClassLimit, err)
	}
	return fail(provider.ClassMalformed, wire.Clean(err))
}

package registry

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/layer"
	"github.com/mirrorchain/mirrorchain/provider/internal/payload"
)

// opened is a lookup whose manifest has been read.
type opened struct {
	p        *Provider
	req      provider.Request
	source   source
	manifest *manifest
}

func (o *opened) Digest() string              { return o.manifest.digest }
func (o *opened) Platform() provider.Platform { return o.manifest.platform }
func (o *opened) Named() string               { return o.manifest.named }

func (o *opened) IndexPlatforms() []provider.Platform {
	if o.manifest.named == o.manifest.digest {
		return nil
	}
	return o.manifest.among
}

// Release reads the layers from the top down to the one that says what is in
// the release, which is the first.
func (o *opened) Release(ctx context.Context) (*provider.Release, error) {
	l := o.p.cfg.Limits
	s, err := layer.NewSearch(layer.Limits{
		Unpacked: l.LayerUnpacked, Entries: l.LayerEntries, Total: l.ImageReferences + 2*l.ReleaseFile,
		File: func(name string) int64 {
			if name == payload.ImageReferences {
				return l.ImageReferences
			}
			return l.ReleaseFile
		},
	}, []string{payload.ImageReferences, payload.Metadata, payload.BootImages}, payload.ImageReferences)
	if err != nil {
		return nil, err
	}
	read, err := o.p.search(ctx, o.layers(), o.manifest.layers, s)
	if err != nil {
		return nil, err
	}
	var files payload.Files
	var ok bool
	if files.ImageReferences, ok = s.File(payload.ImageReferences); !ok {
		return nil, located(o.source.ref, "", fail(provider.ClassMalformed, errors.New("not a release image: it has no "+payload.ImageReferences)))
	}
	files.Metadata, _ = s.File(payload.Metadata)
	files.BootImages, _ = s.File(payload.BootImages)
	r, err := o.decode(ctx, files)
	if err == nil {
		o.keep(read)
	}
	return r, err
}

func (o *opened) decode(ctx context.Context, files payload.Files) (*provider.Release, error) {
	t := o.p.decoders.slot()
	if err := t.take(ctx); err != nil {
		return nil, located(o.source.ref, "reading the release", err)
	}
	defer t.leave()
	data, err := payload.Decode(files)
	if err != nil {
		return nil, located(o.source.ref, "reading the release", undecodable(err))
	}
	data.Image, data.PulledFrom = o.req.Image, o.source.ref
	data.Digest, data.Platform = o.manifest.digest, o.manifest.platform
	if o.manifest.named != o.manifest.digest {
		data.IndexDigest, data.IndexPlatforms = o.manifest.named, o.IndexPlatforms()
	}
	r, err := provider.NewRelease(data)
	if err != nil {
		return nil, located(o.source.ref, "reading the release", fail(provider.ClassMalformed, err))
	}
	return r, nil
}

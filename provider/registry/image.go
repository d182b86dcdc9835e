package registry

import (
	"context"
	"io/fs"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/layer"
)

// image implements [provider.Image].
type image struct {
	p        *Provider
	source   source
	manifest *manifest
}

func (i *image) Digest() string           { return i.manifest.digest }
func (i *image) PulledFrom() imageref.Ref { return i.source.ref }

func (i *image) Config(ctx context.Context) ([]byte, error) {
	b, err := i.p.smallBlob(ctx, i.source, i.manifest.config, i.p.cfg.Limits.Config)
	return b, located(i.source.ref, "reading the config", err)
}

func (i *image) Files(ctx context.Context, patterns ...string) (fs.FS, error) {
	l := i.p.cfg.Limits
	s, err := layer.NewSearch(layer.Limits{
		Unpacked: l.LayerUnpacked, Entries: l.LayerEntries, Total: l.Files,
		File: func(string) int64 { return l.Files },
	}, patterns)
	if err != nil {
		return nil, err
	}
	if _, err := i.p.search(ctx, i.source, i.manifest.layers, s); err != nil {
		return nil, err
	}
	files, err := s.Files(ctx)
	if err != nil {
		return nil, located(i.source.ref, "reading the files", stoppedOr(ctx, err))
	}
	return files, nil
}

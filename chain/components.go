package chain

import (
	"context"
	"maps"
	"slices"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ComponentsConfig configures [Components].
type ComponentsConfig struct {
	// Images are the replacements, by component name. It is copied.
	Images map[string]imageref.Ref
}

// Components replaces the images of components by name, whatever the release says:
// HyperShift's --image-overrides. A component that the release does not have is
// added. A replaced component keeps its annotations. Without replacements the
// layer does nothing.
//
// It stands inside Translate, as HyperShift nests them, so that replacements are
// rewritten and mirrored like the images they stand for, and outside Cache, which
// knows nothing of them. The work is done once per release.
func Components(cfg ComponentsConfig) Layer {
	images := maps.Clone(cfg.Images)
	maps.DeleteFunc(images, func(name string, ref imageref.Ref) bool { return name == "" || ref.IsZero() })
	return layer("components", []string{"cache", "mirrors", "store"}, func(Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			if len(images) == 0 {
				return next, nil
			}
			return &components{next: next, images: images}, nil
		}
	})
}

type components struct {
	next   provider.ReleaseProvider
	images map[string]imageref.Ref
}

func (c *components) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	r, err := c.next.Lookup(ctx, req)
	if err != nil {
		return nil, err
	}
	return r.Derive(c, c.replace), nil // c never changes: its address is the key
}

func (c *components) replace(d *provider.ReleaseData) {
	left := maps.Clone(c.images)
	for i := range d.Components {
		have := &d.Components[i]
		if ref, ok := left[have.Name]; ok {
			have.Image, have.Canonical, have.PullFrom = ref, ref, nil
			delete(left, have.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		d.Components = append(d.Components, provider.Component{Name: name, Image: left[name], Canonical: left[name]})
	}
}

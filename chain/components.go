package chain

import (
	"context"
	"maps"
	"slices"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// AddedAnnotation is on components that the layer "components" added to a release.
const AddedAnnotation = "mirrorchain.io/added"

// ComponentsConfig configures [Components].
type ComponentsConfig struct {
	// Images are the replacements, by component name. The map is copied.
	Images map[string]imageref.Ref
}

// Components returns the layer "components". It replaces the images of components by
// name, like the flag --image-overrides of HyperShift. A component that the release does
// not have is added, with [AddedAnnotation]. A replaced component keeps its annotations. The work is done once
// per release. Without replacements the layer does nothing.
//
// Components belongs below Translate, so that replacements are rewritten and mirrored
// like other images, and above Cache, so that cached releases are as the registry has
// them.
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
	return r.Derive(c, c.replace), nil // the address of c is the key: c never changes
}

func (c *components) replace(d *provider.ReleaseData) {
	rest := maps.Clone(c.images)
	for i := range d.Components {
		have := &d.Components[i]
		if ref, ok := rest[have.Name]; ok {
			have.Image, have.Canonical, have.PullFrom = ref, ref, nil
			delete(rest, have.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		d.Components = append(d.Components, provider.Component{Name: name, Image: rest[name], Canonical: rest[name], Annotations: map[string]string{AddedAnnotation: "true"}})
	}
}

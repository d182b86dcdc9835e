package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// imageList is what a check asks for: each image once, under all its names.
type imageList struct {
	releases  []checkreport.Release
	platforms []provider.Platform // of all images
	images    []*listed
	at        map[imageref.Ref]*listed
	names     map[string]bool
	leftOut   []string // entries that name no image, and why
}

// listed is one image.
type listed struct {
	names []string
	ref   imageref.Ref
	// platforms are those that a node would pull of it, where it may be an index.
	platforms []provider.Platform
}

func newImageList() *imageList {
	return &imageList{at: make(map[imageref.Ref]*listed), names: make(map[string]bool)}
}

// releaseImages looks the release up for each platform and adds its images to list: the
// release, its components, its KubeVirt boot images. With several releases the names say
// which one they are of.
func (l *lookups) releaseImages(ctx context.Context, ref refArg, platforms []provider.Platform, list *imageList, several bool) error {
	digest, err := l.digestOf(ctx, ref)
	if err != nil {
		return err
	}
	repo := ref.Normalize()
	if ref.Digest() == "" {
		// From here on by digest, as clusters pull it. The tag might move, or another
		// mirror have another release under it, and then parts of two were checked.
		if ref.Ref, err = repo.WithDigest(digest); err != nil {
			return err
		}
		if err := l.continueWith(ctx, ref); err != nil {
			return err
		}
	}
	top, err := repo.WithDigest(digest)
	if err != nil {
		return err
	}
	release := checkreport.Release{Image: ref.Text, Digest: digest, Platforms: []string{}}
	var rels []*provider.Release
	for _, p := range platforms {
		rel, err := l.lookup(ctx, ref, p)
		if err != nil {
			return err
		}
		rels = append(rels, rel)
		release.Version = cmp.Or(release.Version, rel.Version())
		if rel.Platform().IsZero() {
			if !p.IsZero() {
				l.notef("--arch %s chose nothing: %s is a plain image, not an index of several", p, ref.Text)
			}
			continue
		}
		release.Platforms = append(release.Platforms, rel.Platform().String())
	}
	of := ""
	if several {
		of = release.Version + " "
	}
	for _, rel := range rels {
		list.add(of+"release", top, rel.Platform())
	}
	for _, rel := range rels {
		for c := range rel.Components() {
			name := of + c.Name
			if len(rels) > 1 && list.names[name] && !list.has(name, c.Canonical) {
				name += " " + rel.Platform().String()
			}
			list.add(name, c.Canonical, rel.Platform())
		}
	}
	for i, rel := range rels {
		if err := list.addBootImages(of, rel, cmp.Or(rel.Platform().Architecture, platforms[i].Architecture, runtime.GOARCH)); err != nil {
			l.warnf("the boot images of release %s cannot be read, and are not checked: %v", rel.Version(), err)
		}
	}
	list.releases = append(list.releases, release)
	return nil
}

// continueWith goes on with another reference.
func (l *lookups) continueWith(ctx context.Context, ref refArg) (err error) {
	if l.x, err = l.policies.explain(ref); err != nil {
		return about(ref.Text, err)
	}
	l.found, err = l.credentials(ctx, l.x.Candidates)
	return err
}

// digestOf returns the digest that ref has, or that its tag has now.
func (l *lookups) digestOf(ctx context.Context, ref refArg) (string, error) {
	if d := ref.Digest(); d != "" {
		return d, nil
	}
	found, err := l.find(ctx, ref)
	return found.Digest, err
}

// has reports whether an image is in the list under that name.
func (r *imageList) has(name string, image imageref.Ref) bool {
	at := r.at[image.Normalize()]
	return at != nil && slices.Contains(at.names, name)
}

// add adds an image, or another name or platforms to one that is in the list. An image
// without a name is called what its reference says. A name that another image has is made
// distinct: test cases are told apart by it.
func (r *imageList) add(name string, image imageref.Ref, platforms ...provider.Platform) {
	if name == "" {
		name = path.Base(image.Repository())
		if tag := image.Tag(); tag != "" {
			name += ":" + tag
		}
	}
	image = image.Normalize()
	taken := func() bool { return r.names[name] && !r.has(name, image) }
	if _, digits, ok := strings.Cut(image.Digest(), ":"); ok && taken() {
		name += "@" + digits[:12]
	}
	if taken() {
		name += " " + image.String()
	}
	at := r.at[image]
	if at == nil {
		at = &listed{ref: image}
		r.at[image] = at
		r.images = append(r.images, at)
	}
	if r.names[name] = true; !slices.Contains(at.names, name) {
		at.names = append(at.names, name)
	}
	for _, p := range platforms {
		if p.IsZero() {
			continue
		}
		if !slices.Contains(at.platforms, p) {
			at.platforms = append(at.platforms, p)
		}
		if !slices.Contains(r.platforms, p) {
			r.platforms = append(r.platforms, p)
		}
	}
}

// coreOS maps Go's names of architectures to those of streams, where they differ.
var coreOS = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// bootImageName begins the names of boot images.
const bootImageName = "kubevirt boot image"

// addBootImages adds the boot images of one architecture that are container images.
func (r *imageList) addBootImages(of string, rel *provider.Release, arch string) error {
	boot, err := bootimages.Of(rel)
	if errors.Is(err, bootimages.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, k := range boot.KubeVirtImages() {
		if k.Architecture != cmp.Or(coreOS[arch], arch) {
			continue
		}
		for _, stream := range k.Streams {
			name := of + bootImageName
			if stream != "" {
				name += " " + stream
			}
			r.add(fmt.Sprintf("%s %s", name, k.Architecture), k.Ref)
		}
	}
	return nil
}

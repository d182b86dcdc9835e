package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// releaseList is what a release consists of: each image once, under all its names.
type releaseList struct {
	version   string
	digest    string // of what the reference names
	platforms []provider.Platform
	images    []*listed
	at        map[imageref.Ref]*listed
	names     map[string]bool
}

// listed is one image.
type listed struct {
	names []string
	ref   imageref.Ref
	// platforms are those that a node would pull of it, where it may be an index.
	platforms []provider.Platform
}

// releaseImages looks the release up for each platform and lists its images: the
// release, its components, its KubeVirt boot images.
func (l *lookups) releaseImages(ctx context.Context, ref refArg, platforms []provider.Platform) (*releaseList, error) {
	list := &releaseList{at: make(map[imageref.Ref]*listed), names: make(map[string]bool)}
	var err error
	if list.digest, err = l.digestOf(ctx, ref); err != nil {
		return nil, err
	}
	repo := ref.Normalize()
	if ref.Digest() == "" {
		// From here on by digest, as clusters pull it. The tag might move, or another
		// mirror have another release under it, and then parts of two were checked.
		if ref.Ref, err = repo.WithDigest(list.digest); err != nil {
			return nil, err
		}
		if err := l.continueWith(ctx, ref); err != nil {
			return nil, err
		}
	}
	top, err := repo.WithDigest(list.digest)
	if err != nil {
		return nil, err
	}
	var rels []*provider.Release
	for _, p := range platforms {
		rel, err := l.lookup(ctx, ref, p)
		if err != nil {
			return nil, err
		}
		rels = append(rels, rel)
		list.version = cmp.Or(list.version, rel.Version())
		list.add("release", top, rel.Platform())
		if rel.Platform().IsZero() {
			if !p.IsZero() {
				l.notef("--arch %s chose nothing: %s is a plain image, not an index of several", p, ref.Text)
			}
			continue
		}
		list.platforms = append(list.platforms, rel.Platform())
	}
	for _, rel := range rels {
		for c := range rel.Components() {
			name := c.Name
			if len(rels) > 1 && list.names[name] && !list.has(name, c.Canonical) {
				name += " " + rel.Platform().String()
			}
			list.add(name, c.Canonical, rel.Platform())
		}
	}
	for i, rel := range rels {
		if err := list.addBootImages(rel, cmp.Or(rel.Platform().Architecture, platforms[i].Architecture, runtime.GOARCH)); err != nil {
			l.warnf("the boot images of release %s cannot be read, and are not checked: %v", rel.Version(), err)
		}
	}
	return list, nil
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
	finder, err := chain.NewFinder(l.base, func() *policy.Rules { return l.policies.rules }, chain.FinderConfig{
		MirrorsConfig: chain.MirrorsConfig{Observer: l.observer()},
	})
	if err != nil {
		return "", err
	}
	start := time.Now()
	found, err := finder.Find(l.traced(ctx), provider.Request{Image: ref.Ref, Credentials: l.found.Credentials})
	if err != nil {
		return "", l.failed(ctx, ref, err, time.Since(start))
	}
	return found.Digest, nil
}

// has reports whether an image is in the list under that name.
func (r *releaseList) has(name string, image imageref.Ref) bool {
	at := r.at[image.Normalize()]
	return at != nil && slices.Contains(at.names, name)
}

// add adds an image, or another name or platform to one that is in the list.
func (r *releaseList) add(name string, image imageref.Ref, platform provider.Platform) {
	image = image.Normalize()
	at := r.at[image]
	if at == nil {
		at = &listed{ref: image}
		r.at[image] = at
		r.images = append(r.images, at)
	}
	if r.names[name] = true; !slices.Contains(at.names, name) {
		at.names = append(at.names, name)
	}
	if !platform.IsZero() && !slices.Contains(at.platforms, platform) {
		at.platforms = append(at.platforms, platform)
	}
}

// coreOS maps Go's names of architectures to those of streams, where they differ.
var coreOS = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// bootImageName begins the names of boot images.
const bootImageName = "kubevirt boot image"

// addBootImages adds the boot images of one architecture that are container images.
func (r *releaseList) addBootImages(rel *provider.Release, arch string) error {
	if len(rel.BootImages()) == 0 {
		return nil
	}
	boot, err := bootimages.Parse(rel.BootImages())
	if err != nil {
		return err
	}
	for _, k := range boot.KubeVirtImages() {
		if k.Architecture != cmp.Or(coreOS[arch], arch) {
			continue
		}
		for _, stream := range k.Streams {
			name := bootImageName
			if stream != "" {
				name += " " + stream
			}
			r.add(fmt.Sprintf("%s %s", name, k.Architecture), k.Ref, provider.Platform{})
		}
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// releaseList is what a release consists of.
type releaseList struct {
	version   string
	digest    string // of what the reference names
	platforms []string
	items     []check.Item
	there     map[check.Item]bool
	names     map[string]bool
}

// releaseImages looks the release up for each platform and lists its images: the
// release, its entries, its components, its KubeVirt boot images.
func (l *lookups) releaseImages(ctx context.Context, ref refArg, platforms []provider.Platform) (*releaseList, error) {
	list := new(releaseList)
	var err error
	if list.digest, err = l.digestOf(ctx, ref); err != nil {
		return nil, err
	}
	repo := ref.Normalize()
	if ref.Digest() == "" {
		// From here on by digest, as clusters pull it: else the tag might move, or another
		// mirror have another release under it, and parts of two be checked.
		if ref.Ref, err = repo.WithDigest(list.digest); err != nil {
			return nil, err
		}
		if err := l.turnTo(ctx, ref); err != nil {
			return nil, err
		}
	}
	add := func(name string, digest string) error {
		image, err := repo.WithDigest(digest)
		if err == nil {
			list.add(name, image)
		}
		return err
	}
	if err := add("release", list.digest); err != nil {
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
		if rel.Platform().IsZero() {
			if !p.IsZero() {
				l.notef("--arch %s chose nothing: %s is a plain image, not an index of several", p, ref.Text)
			}
			continue
		}
		list.platforms = append(list.platforms, rel.Platform().String())
		if err := add("release "+rel.Platform().String(), rel.Digest()); err != nil {
			return nil, err
		}
	}
	for _, rel := range rels {
		for c := range rel.Components() {
			name := c.Name
			if len(rels) > 1 && list.names[name] && !list.there[check.Item{Name: name, Image: c.Canonical}] {
				name += " " + rel.Platform().String()
			}
			list.add(name, c.Canonical)
		}
	}
	for i, rel := range rels {
		if err := list.addBootImages(rel, cmp.Or(rel.Platform().Architecture, platforms[i].Architecture, runtime.GOARCH)); err != nil {
			l.warnf("the boot images of release %s cannot be read, and are not checked: %v", rel.Version(), err)
		}
	}
	return list, nil
}

// turnTo goes on with another reference.
func (l *lookups) turnTo(ctx context.Context, ref refArg) (err error) {
	if l.res, err = l.policies.resolve(ref); err != nil {
		return about(ref.Text, err)
	}
	l.found, err = l.credentials(ctx, l.res.Candidates)
	return err
}

// digestOf is the digest that ref has, or that its tag has now.
func (l *lookups) digestOf(ctx context.Context, ref refArg) (string, error) {
	if d := ref.Digest(); d != "" {
		return d, nil
	}
	probes, err := chain.NewFinder(l.prober(), func() *policy.Rules { return l.policies.rules }, chain.FinderConfig{
		MirrorsConfig: chain.MirrorsConfig{Observer: l.observer()},
	})
	if err != nil {
		return "", err
	}
	found, err := probes.Find(l.traced(ctx), provider.Request{Image: ref.Ref, Credentials: l.found.Credentials})
	if err != nil {
		return "", l.failed(ctx, ref, err, l.policies, l.res, l.found, 0)
	}
	return found.Digest, nil
}

// add adds an image unless it is there under that name.
func (r *releaseList) add(name string, image imageref.Ref) {
	item := check.Item{Name: name, Image: image}
	if r.there[item] {
		return
	}
	if r.there == nil {
		r.there, r.names = make(map[check.Item]bool), make(map[string]bool)
	}
	r.there[item], r.names[name] = true, true
	r.items = append(r.items, item)
}

// coreOS is what streams call architectures that Go calls something else.
var coreOS = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// addBootImages adds the boot images that are container images, of one architecture.
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
			name := "kubevirt boot image"
			if stream != "" {
				name += " " + stream
			}
			r.add(fmt.Sprintf("%s %s", name, k.Architecture), k.Ref)
		}
	}
	return nil
}

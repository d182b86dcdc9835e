// Package releasediff says what differs between two releases: which components came, went,
// changed or were only built again, which versions they state, and which operating system
// machines start from.
//
// It reads nothing: both releases, and their boot images, are the caller's. It does not
// judge either: whether one release can be updated to the other is not its question.
package releasediff

import (
	"cmp"
	"maps"
	"slices"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
)

// Diff is what differs. Its lists are sorted by name.
type Diff struct {
	// Added components are in the second release alone, Removed ones in the first alone.
	Added, Removed []provider.Component
	// Changed components have another image, of another commit or of one that is not
	// stated. Rebuilt ones have another image of the same commit.
	Changed, Rebuilt []Change
	// Unchanged counts the components with the same image.
	Unchanged int
	// Versions are those that differ, of what components state ("kubernetes").
	Versions []Version
}

// Change is a component that both releases have, with another image.
type Change struct {
	// From and To are the component in the first release and in the second.
	From, To provider.Component
}

// CompareURL returns where a browser shows the commits between the two, "" if that is not
// known.
func (c Change) CompareURL() string { return provider.CompareURL(c.From.Source(), c.To.Source()) }

// Version is a version that differs.
type Version struct {
	// Name says what it is the version of: "kubernetes".
	Name string
	// From or To is "" where one of the releases states none.
	From, To string
}

// Compare returns what differs from one release to another. Images are compared as the
// releases state them, by digest where they have one: the same image in another
// repository is no change.
func Compare(from, to *provider.Release) *Diff {
	d := new(Diff)
	for c := range to.Components() {
		old, ok := from.Component(c.Name)
		switch change := (Change{old, c}); {
		case !ok:
			d.Added = append(d.Added, c)
		case identity(old) == identity(c):
			d.Unchanged++
		case change.sameCommit():
			d.Rebuilt = append(d.Rebuilt, change)
		default:
			d.Changed = append(d.Changed, change)
		}
	}
	for c := range from.Components() {
		if _, ok := to.Component(c.Name); !ok {
			d.Removed = append(d.Removed, c)
		}
	}
	before, after := from.ComponentVersions(), to.ComponentVersions()
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			d.Versions = append(d.Versions, Version{name, before[name], after[name]})
		}
	}
	return d
}

func identity(c provider.Component) string {
	return cmp.Or(c.Canonical.Digest(), c.Canonical.String())
}

func (c Change) sameCommit() bool {
	from, to := c.From.Source(), c.To.Source()
	return from == to && from.Commit != ""
}

// BootImage is a platform whose machines start from something else. From or To is "" where
// one of the releases has nothing for it.
type BootImage struct {
	// Stream, Architecture and Name are as in [bootimages.Platform].
	Stream, Architecture, Name string
	// From and To are versions of the operating system. They are the same where only the
	// images differ.
	From, To string
}

// CompareBootImages returns the platforms whose boot images differ, by stream,
// architecture and name. Nil stands for a release that has none.
func CompareBootImages(from, to *bootimages.BootImages) []BootImage {
	type key struct{ stream, architecture, platform string }
	platforms := func(b *bootimages.BootImages) map[key]bootimages.Platform {
		all := make(map[key]bootimages.Platform)
		if b != nil {
			for _, p := range b.Platforms() {
				all[key{p.Stream, p.Architecture, p.Name}] = p
			}
		}
		return all
	}
	before, after := platforms(from), platforms(to)
	keys := maps.Clone(before)
	maps.Copy(keys, after)
	var out []BootImage
	for k := range keys {
		if a, b := before[k], after[k]; !equal(a, b) {
			out = append(out, BootImage{k.stream, k.architecture, k.platform, a.Release, b.Release})
		}
	}
	slices.SortFunc(out, func(a, b BootImage) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// equal reports whether machines would start from the same bytes. Where files lie does
// not matter.
func equal(a, b bootimages.Platform) bool {
	sameFile := func(a, b bootimages.File) bool {
		return a.Format == b.Format && a.Kind == b.Kind && a.Sha256 == b.Sha256
	}
	return a.Name == b.Name && a.Release == b.Release && a.Image == b.Image && a.Container.Digest() == b.Container.Digest() &&
		maps.Equal(a.Regions, b.Regions) && slices.EqualFunc(a.Files, b.Files, sameFile)
}

package provider

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Release is what is in a release image, and who served it. It is immutable and
// safe to share: whatever a method hands out is the caller's own copy.
//
// What describes the content is shared between the copies that layers make;
// what belongs to one request (Image, the index that it names, PulledFrom, Attempts,
// Stale) is not.
//
// The zero Release says nothing: no version, no components. It is no valid release,
// so [Release.With] and [Release.Derive] panic unless the change makes it one.
type Release struct {
	content *content // nil in the zero Release; see held
	served  Answer
}

// Answer is the part of a [Release] that belongs to one request.
type Answer struct {
	Image      imageref.Ref // what was asked for
	PulledFrom imageref.Ref // where it came from
	Stale      bool         // an old answer, because no candidate answered
	Attempts   []Attempt    // not modified after it is handed over

	IndexDigest    string     // of the index that the reference names, "" for none
	IndexPlatforms []Platform // that this index has entries for; not modified after it is handed over
}

// Attempt is one endpoint that was asked.
type Attempt struct {
	Ref  imageref.Ref  // the endpoint, with the image as it was asked for there
	Err  error         // nil for the one that answered
	Took time.Duration // until it answered or failed
}

// Component is one image of a release. Look up Canonical, hand on Image: who reads
// the image asks an [ImageProvider] for Canonical, which the rules are applied to on
// the way; Image has been through the Rewrite rules already, and they would be
// applied to it a second time.
type Component struct {
	Name string // as image-references has it: "machine-config-operator"
	// Image is what may be handed on, to a pod for one: Canonical, or what Rewrite
	// rules make of it.
	Image imageref.Ref
	// Canonical is the reference as the release states it, and the one to look up.
	Canonical imageref.Ref
	// PullFrom are the addresses, in order, that a process without a container
	// runtime pulls the image from. Only live translation fills it in.
	PullFrom []imageref.Ref
	// Annotations are those of the tag in image-references.
	Annotations map[string]string
}

// Metadata is what release-metadata says beside the version.
type Metadata struct {
	// Previous and Next are versions that update to this one, and from it.
	Previous, Next []string
	// URL is where the release notes or errata are, "" if not stated.
	URL string
}

// ReleaseData is a [Release] with its fields in the open, for providers and
// layers that make one.
type ReleaseData struct {
	Image      imageref.Ref // what was asked for
	PulledFrom imageref.Ref // where it came from; zero means Image
	Stale      bool         // an old answer, because no candidate answered
	Attempts   []Attempt    // in the order in which they were made

	Version  string    // as image-references names it: "4.17.3"
	Digest   string    // "sha256:..." of the manifest that was read
	Created  time.Time // of image-references
	Platform Platform  // zero unless chosen from an index

	IndexDigest    string     // of the index that Image names, "" where it names no index
	IndexPlatforms []Platform // what that index has entries for, in its order; nil if not known

	Components        []Component       // names are unique; sorted by NewRelease
	ComponentVersions map[string]string // kubernetes, machine-os, ...
	Metadata          Metadata          // of release-metadata; zero if the release has none
	BootImages        []byte            // the ConfigMap as it is; nil if the release has none
}

// NewRelease makes a Release of data, which it copies. A component without
// Image gets its Canonical, and the other way round. It fails for a component
// without a name or image, for two of one name, and for a release without a
// version.
func NewRelease(data ReleaseData) (*Release, error) {
	return newRelease(data, nil)
}

// newRelease is NewRelease, sharing with like what is the same.
func newRelease(data ReleaseData, like *content) (*Release, error) {
	c, err := newContent(data, like)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", data.Image, err)
	}
	return &Release{content: c, served: servedOf(data)}, nil
}

func servedOf(d ReleaseData) Answer {
	if d.PulledFrom.IsZero() {
		d.PulledFrom = d.Image
	}
	return Answer{
		Image: d.Image, PulledFrom: d.PulledFrom, Stale: d.Stale, Attempts: slices.Clip(slices.Clone(d.Attempts)),
		IndexDigest: d.IndexDigest, IndexPlatforms: slices.Clip(slices.Clone(d.IndexPlatforms)),
	}
}

// Image is what was asked for.
func (r *Release) Image() imageref.Ref { return r.served.Image }

// PulledFrom is where the release came from: a mirror, or Image.
func (r *Release) PulledFrom() imageref.Ref { return r.served.PulledFrom }

// Stale reports that the release was served from a cache because no candidate
// answered.
func (r *Release) Stale() bool { return r.served.Stale }

// Attempts are the endpoints asked for this lookup, in the order tried; none
// where a cache answered.
func (r *Release) Attempts() iter.Seq[Attempt] { return slices.Values(r.served.Attempts) }

// Answer is the part of r that belongs to its request. Its Attempts are not to
// be modified.
func (r *Release) Answer() Answer { return r.served }

// held is r's content, to read.
func (r *Release) held() *content {
	if r.content == nil {
		return new(content)
	}
	return r.content
}

// WithAnswer is r's content as the answer to another request. It costs one small
// allocation, whatever the release's size.
func (r *Release) WithAnswer(s Answer) *Release {
	s.Attempts = slices.Clip(s.Attempts)
	return &Release{content: r.content, served: s}
}

// Version is the release's version, "4.17.3".
func (r *Release) Version() string { return r.held().version }

// Digest is that of the manifest that was read, "sha256:...".
func (r *Release) Digest() string { return r.held().digest }

// Created is when the release was put together, from image-references.
func (r *Release) Created() time.Time { return r.held().created }

// Platform is the one chosen from an index, zero where there was none.
func (r *Release) Platform() Platform { return r.held().platform }

// IndexDigest returns the digest of the index that Image names, and that the manifest
// was chosen from; "" where Image names a plain manifest.
func (r *Release) IndexDigest() string { return r.served.IndexDigest }

// IndexPlatforms returns what that index has entries for, in its order and without
// repetitions. An index may have one alone. It is nil where Image names no index, and
// where the index has not been read: for a release that was restored from disk.
func (r *Release) IndexPlatforms() []Platform { return slices.Clone(r.served.IndexPlatforms) }

// Component is the component of that name.
func (r *Release) Component(name string) (Component, bool) {
	i, ok := r.held().find(name)
	if !ok {
		return Component{}, false
	}
	return r.held().components[i].export(), true
}

// Components are all of them, sorted by name.
func (r *Release) Components() iter.Seq[Component] {
	return func(yield func(Component) bool) {
		c := r.held()
		for i := range c.components {
			if !yield(c.components[i].export()) {
				return
			}
		}
	}
}

// ComponentVersions are the versions that components say they have:
// "kubernetes", "machine-os" and so on.
func (r *Release) ComponentVersions() map[string]string { return r.held().versions.toMap() }

// Metadata is what release-metadata says, zero if the release has none.
func (r *Release) Metadata() Metadata { return r.held().metadata.clone() }

// BootImages is the installer's coreos-bootimages ConfigMap as it is in the
// release, nil if there is none. Package provider/bootimages reads it.
func (r *Release) BootImages() []byte {
	c := r.held()
	if c.bootImages == "" {
		return nil
	}
	return []byte(c.bootImages)
}

// With is a changed copy of r; r stays as it is. The function gets data of its
// own to change. What is the same afterwards is shared. For a change that many
// lookups repeat, see [Release.Derive]. It panics where the change leaves no
// valid release.
func (r *Release) With(change func(*ReleaseData)) *Release {
	d := r.data()
	change(&d)
	n, err := newRelease(d, r.content)
	if err != nil {
		panic(fmt.Errorf("provider: Release.With: %w", err))
	}
	return n
}

// Derive is With for a change of the content that depends on key alone: it is
// worked out once per content and key, and remembered with the content. Only the
// latest few keys are kept, enough for a layer or two while rule versions
// alternate. What change makes of Image, PulledFrom, Attempts and Stale is
// ignored, and so is what it makes of the index: they stay r's. Keys must be comparable; let a layer use a type of its
// own.
func (r *Release) Derive(key any, change func(*ReleaseData)) *Release {
	if r.content == nil { // nothing to remember it with
		return &Release{content: r.With(change).content, served: r.served}
	}
	c := r.content.derived.get(key)
	if c == nil {
		c = r.content.derived.add(key, r.With(change).content)
	}
	return &Release{content: c, served: r.served}
}

// data is r in the open, sharing nothing mutable with it.
func (r *Release) data() ReleaseData {
	d := ReleaseData{
		Image: r.served.Image, PulledFrom: r.served.PulledFrom, Stale: r.served.Stale,
		Attempts:    slices.Clone(r.served.Attempts),
		IndexDigest: r.served.IndexDigest, IndexPlatforms: slices.Clone(r.served.IndexPlatforms),
		Version: r.Version(), Digest: r.Digest(), Created: r.Created(), Platform: r.Platform(),
		Components:        slices.Collect(r.Components()),
		ComponentVersions: r.ComponentVersions(),
		Metadata:          r.Metadata(),
		BootImages:        r.BootImages(),
	}
	return d
}

var (
	errNoVersion = errors.New("it states no version (metadata.name of image-references)")
	errNoName    = errors.New("a component has no name")
)

func checkComponents(cs []Component) error {
	for i, c := range cs {
		switch {
		case c.Name == "":
			return errNoName
		case c.Canonical.IsZero():
			return fmt.Errorf("component %q has no image", c.Name)
		case i > 0 && cs[i-1].Name == c.Name:
			return fmt.Errorf("component %q is there twice", c.Name)
		}
	}
	return nil
}

func byName(a, b Component) int { return strings.Compare(a.Name, b.Name) }

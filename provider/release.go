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
// Stale, Signatures) is not.
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

	Index      *Index      // that the reference names, nil for none; not modified after it is handed over
	Signatures *Signatures // what a Verifier found; nil if none was asked
}

// Index is the list of manifests, one for each platform, that a reference names. An
// [Answer] points to it, because an answer is copied for each lookup.
type Index struct {
	Digest    string     // "sha256:..."
	Platforms []Platform // that it has entries for, in its order; nil if not known
}

// Attempt is one request for the image to one candidate.
type Attempt struct {
	Ref  imageref.Ref  // the candidate
	Err  error         // nil for the one that answered
	Took time.Duration // until it answered or failed
}

// Component is one image of a release. Look Canonical up, and hand Image on. The
// rules are applied to Canonical when an [ImageProvider] is asked for it. Image
// has been through the Rewrite rules already; if it were looked up, they would be
// applied a second time.
type Component struct {
	Name string // as image-references has it: "machine-config-operator"
	// Image is the reference to hand on, for example to a pod: Canonical, or what Rewrite
	// rules make of it.
	Image imageref.Ref
	// Canonical is the reference as the release states it, and the one to look up.
	Canonical imageref.Ref
	// PullFrom are the candidates, in order, for a process that pulls the image without a
	// container runtime. Only live translation fills it in (TranslateConfig.Live of
	// package chain).
	PullFrom []imageref.Ref
	// Annotations are those of the tag in image-references.
	Annotations map[string]string
}

// Metadata is what release-metadata says beside the version.
type Metadata struct {
	// Previous are versions that can be updated to this one. Next are versions that this
	// one can be updated to.
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

	Signatures *Signatures // what a Verifier found; nil if none was asked

	Components        []Component       // names are unique; sorted by NewRelease
	ComponentVersions map[string]string // kubernetes, machine-os, ...
	Metadata          Metadata          // of release-metadata; zero if the release has none
	ImageReferences   []byte            // the file as it is; nil if it is not known
	BootImages        []byte            // the ConfigMap as it is; nil if the release has none
}

// NewRelease makes a Release of data, which it copies. A component without
// Image gets its Canonical, and the other way round. It fails for a component
// without a name or image, for two of one name, and for a release without a
// version.
func NewRelease(data ReleaseData) (*Release, error) {
	return newRelease(data, nil, nil)
}

// newRelease does what NewRelease does. What is the same in like is shared with it, and
// if keep is not nil, that is in place of the files in data.
func newRelease(data ReleaseData, like *content, keep *files) (*Release, error) {
	c, err := newContent(data, like, keep)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", data.Image, err)
	}
	return &Release{content: c, served: servedOf(data)}, nil
}

func servedOf(d ReleaseData) Answer {
	if d.PulledFrom.IsZero() {
		d.PulledFrom = d.Image
	}
	a := Answer{
		Image: d.Image, PulledFrom: d.PulledFrom, Stale: d.Stale, Attempts: slices.Clip(slices.Clone(d.Attempts)),
		Signatures: d.Signatures,
	}
	if d.IndexDigest != "" {
		a.Index = &Index{Digest: d.IndexDigest, Platforms: slices.Clip(slices.Clone(d.IndexPlatforms))}
	}
	return a
}

// Image returns the reference that was asked for.
func (r *Release) Image() imageref.Ref { return r.served.Image }

// PulledFrom returns the reference that the release was read at: at a mirror, or
// Image.
func (r *Release) PulledFrom() imageref.Ref { return r.served.PulledFrom }

// Stale reports whether the release is an old answer of a cache, served because
// no candidate answered.
func (r *Release) Stale() bool { return r.served.Stale }

// Attempts returns the attempts of this lookup, in order. A fresh answer of a
// cache has none. A stale one has those that failed.
func (r *Release) Attempts() iter.Seq[Attempt] { return slices.Values(r.served.Attempts) }

// Answer returns the part of r that belongs to its request. Do not modify its
// Attempts.
func (r *Release) Answer() Answer { return r.served }

// contentOrEmpty returns r's content, to read.
func (r *Release) contentOrEmpty() *content {
	if r.content == nil {
		return new(content)
	}
	return r.content
}

// WithAnswer returns r's content as the answer to another request. It costs one
// small allocation, whatever the size of the release.
func (r *Release) WithAnswer(s Answer) *Release {
	s.Attempts = slices.Clip(s.Attempts)
	return &Release{content: r.content, served: s}
}

// Version returns the version of the release, "4.17.3".
func (r *Release) Version() string { return r.contentOrEmpty().version }

// Digest returns the digest of the manifest that was read, "sha256:...".
func (r *Release) Digest() string { return r.contentOrEmpty().digest }

// Created returns when the release was put together, from image-references.
func (r *Release) Created() time.Time { return r.contentOrEmpty().created }

// Platform returns the platform that was chosen from an index; zero if there was
// no index.
func (r *Release) Platform() Platform { return r.contentOrEmpty().platform }

// IndexDigest returns the digest of the index that Image names, and that the manifest
// was chosen from; "" where Image names a plain manifest.
func (r *Release) IndexDigest() string {
	if r.served.Index == nil {
		return ""
	}
	return r.served.Index.Digest
}

// IndexPlatforms returns what that index has entries for, in its order and without
// repetitions. An index may have one alone. It is nil where Image names no index, and
// where the index has not been read: for a release that was restored from disk.
func (r *Release) IndexPlatforms() []Platform {
	if r.served.Index == nil {
		return nil
	}
	return slices.Clone(r.served.Index.Platforms)
}

// Signatures returns what a [Verifier] found; nil if none was asked.
func (r *Release) Signatures() *Signatures { return r.served.Signatures }

// Component returns the component of that name, and false if there is none.
func (r *Release) Component(name string) (Component, bool) {
	i, ok := r.contentOrEmpty().find(name)
	if !ok {
		return Component{}, false
	}
	return r.contentOrEmpty().components[i].export(), true
}

// Components returns all components, sorted by name.
func (r *Release) Components() iter.Seq[Component] {
	return func(yield func(Component) bool) {
		c := r.contentOrEmpty()
		for i := range c.components {
			if !yield(c.components[i].export()) {
				return
			}
		}
	}
}

// ComponentVersions returns the versions that components state: "kubernetes",
// "machine-os" and so on.
func (r *Release) ComponentVersions() map[string]string { return r.contentOrEmpty().versions.toMap() }

// Metadata returns what release-metadata states; zero if the release has none.
func (r *Release) Metadata() Metadata { return r.contentOrEmpty().metadata.clone() }

// ImageReferences returns the file image-references as it is in the release, an
// ImageStream in JSON, for programs that read more of it than [Release.Components] says.
// It is nil for a release that was not read from an image. It is unpacked for each call.
func (r *Release) ImageReferences() []byte { return r.filesOrEmpty().imageReferences.bytes() }

// BootImages returns the installer's coreos-bootimages ConfigMap as it is in the
// release; nil if there is none. Package provider/bootimages reads it. It is unpacked for
// each call.
func (r *Release) BootImages() []byte { return r.filesOrEmpty().bootImages.bytes() }

func (r *Release) filesOrEmpty() *files {
	if r.content == nil {
		return new(files)
	}
	return r.content.files
}

// With returns a changed copy of r. r stays as it is. change gets data of its
// own; what is the same afterwards is shared. For a change that many lookups
// repeat, see [Release.Derive]. With panics if the change leaves no valid
// release.
func (r *Release) With(change func(*ReleaseData)) *Release {
	d := r.data()
	d.ImageReferences, d.BootImages = r.ImageReferences(), r.BootImages()
	change(&d)
	return mustRelease(newRelease(d, r.content, nil))
}

func mustRelease(r *Release, err error) *Release {
	if err != nil {
		panic(fmt.Errorf("provider: changing a release: %w", err))
	}
	return r
}

// Derive returns a changed copy of r, like [Release.With], for a change of the
// content that depends on key alone. The change is made once per content and key,
// and remembered with the content. Only the latest few keys are kept, enough for
// a layer or two while rule versions alternate. Changes of Image, PulledFrom,
// Attempts, Stale, Signatures, the index and the files are ignored: they stay as they are in r.
// The files, ImageReferences and BootImages, are nil in what is changed. Keys
// must be comparable. Each layer should use a type of its own for them.
func (r *Release) Derive(key any, change func(*ReleaseData)) *Release {
	if r.content == nil { // nothing to remember it with
		return &Release{content: r.With(change).content, served: r.served}
	}
	c, ok := r.content.derived.get(key)
	if !ok {
		d := r.data()
		change(&d)
		c = r.content.derived.add(key, mustRelease(newRelease(d, r.content, r.content.files)).content)
	}
	return &Release{content: c, served: r.served}
}

// data returns r in the open, without its files, sharing nothing mutable with it.
func (r *Release) data() ReleaseData {
	d := ReleaseData{
		Image: r.served.Image, PulledFrom: r.served.PulledFrom, Stale: r.served.Stale,
		Attempts:    slices.Clone(r.served.Attempts),
		IndexDigest: r.IndexDigest(), IndexPlatforms: r.IndexPlatforms(), Signatures: r.served.Signatures,
		Version: r.Version(), Digest: r.Digest(), Created: r.Created(), Platform: r.Platform(),
		Components:        slices.Collect(r.Components()),
		ComponentVersions: r.ComponentVersions(),
		Metadata:          r.Metadata(),
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

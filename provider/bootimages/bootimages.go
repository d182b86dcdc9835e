// Package bootimages reads the installer's coreos-bootimages ConfigMap that a
// release carries ([provider.Release.BootImages]): which operating system images
// machines of the release start from.
//
// A release has one default stream (data.stream) and, since 5.0, further streams
// by name (data.streams). The types of a stream are those of CoreOS itself,
// github.com/coreos/stream-metadata-go.
//
// The package fetches nothing and knows no mirrors; of what is in a stream only
// the KubeVirt images are container images, and [BootImages.KubeVirtImages]
// lists those for mirroring.
package bootimages

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/coreos/stream-metadata-go/stream"
	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
)

// MaxSize is how many bytes of a ConfigMap are read, a hundred times those of real
// ones.
const MaxSize = 4 << 20

// A node of YAML takes two bytes ("0,") and some hundreds when read. Real
// ConfigMaps have some 1,500 marks, those inside the streams included. Keys of a
// map are compared each with each, so many of them cost time too.
const (
	maxMarks  = 20_000
	maxValues = 50_000 // in one stream, and in all of data.streams
)

// BootImages are the boot images of a release. They are immutable and safe to
// share.
type BootImages struct {
	releaseVersion string
	standard       *stream.Stream            // nil if there is none
	named          map[string]*stream.Stream // by name; nil if the release lists none, not even no stream
	kubevirt       []KubeVirtImage
}

// KubeVirtImage is a boot image that is a container image.
type KubeVirtImage struct {
	// Streams have the image, "" being the default stream. Sorted.
	Streams []string
	// Architecture in the terms of streams: "x86_64".
	Architecture string
	// Ref is the image by digest (digest-ref).
	Ref imageref.Ref
}

// Of returns the boot images of a release. They are parsed once and kept with the release,
// so that it costs nothing for a release that a cache holds. An error is that of [Parse],
// or [ErrNone]. It is kept too.
func Of(r *provider.Release) (*BootImages, error) {
	return r.Remember(ofRelease{}, func() any {
		configMap := r.BootImages()
		if configMap == nil {
			return parsed{nil, ErrNone}
		}
		b, err := Parse(configMap)
		return parsed{b, err}
	}).(parsed).get()
}

// ofRelease is the key under which a release remembers its boot images.
type ofRelease struct{}

type parsed struct {
	images *BootImages
	err    error
}

func (p parsed) get() (*BootImages, error) { return p.images, p.err }

// ErrNone says that a release has no boot images.
var ErrNone = errors.New("coreos-bootimages: the release has no boot images")

// Parse reads the ConfigMap, YAML or JSON. Errors name the key that is wrong.
// Streams that are there must be readable. One that is empty, {} or null, is as good as
// none, as for HyperShift; so is data.streams if it is empty or null, while {} is a list
// of no streams. A ConfigMap that has neither data.stream nor data.streams is an error. What is larger than [MaxSize], or has as much in it as no boot images do, is an error
// before it is read.
func Parse(configMap []byte) (*BootImages, error) {
	b, err := parse(configMap)
	if err != nil {
		return nil, fmt.Errorf("coreos-bootimages: %w", err)
	}
	return b, nil
}

func parse(configMap []byte) (*BootImages, error) {
	if len(configMap) > MaxSize {
		return nil, fmt.Errorf("%d bytes; at most %d are read", len(configMap), MaxSize)
	}
	if marks(configMap) > maxMarks {
		return nil, fmt.Errorf("more than %d keys and entries", maxMarks)
	}
	var cm struct {
		Kind string            `yaml:"kind"`
		Data map[string]string `yaml:"data"`
	}
	if err := yaml.Unmarshal(configMap, &cm); err != nil {
		return nil, fmt.Errorf("not a ConfigMap: %w", err)
	}
	if cm.Kind != "ConfigMap" {
		return nil, fmt.Errorf("kind is %q; want ConfigMap", cm.Kind)
	}
	b := &BootImages{releaseVersion: cm.Data["releaseVersion"]}
	standard, hasStandard := cm.Data["stream"]
	if hasStandard && !isEmpty(standard) {
		var err error
		if b.standard, err = b.read("", []byte(standard)); err != nil {
			return nil, fmt.Errorf("data.stream: %w", err)
		}
	}
	s, hasNamed := cm.Data["streams"]
	if strings.TrimSpace(s) != "" {
		if err := jsonlimit.Values([]byte(s), maxValues); err != nil {
			return nil, fmt.Errorf("data.streams: %w", err)
		}
		var named map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &named); err != nil {
			return nil, fmt.Errorf("data.streams: not a JSON object of streams: %w", err)
		}
		if named != nil { // it is not null
			b.named = make(map[string]*stream.Stream, len(named))
		}
		for _, name := range slices.Sorted(maps.Keys(named)) {
			if name == "" {
				return nil, errors.New("data.streams: a stream without a name")
			}
			if isEmpty(string(named[name])) {
				continue
			}
			one, err := b.read(name, named[name])
			if err != nil {
				return nil, fmt.Errorf("data.streams: %q: %w", name, err)
			}
			b.named[name] = one
		}
	}
	if !hasStandard && !hasNamed {
		return nil, errors.New("neither data.stream nor data.streams names a stream")
	}
	return b, nil
}

// isEmpty reports whether a stream says nothing.
func isEmpty(stream string) bool {
	switch strings.Join(strings.Fields(stream), "") {
	case "", "{}", "null":
		return true
	}
	return false
}

// marks counts the bytes that may begin a node of YAML: each node but the first
// comes right after one, or is the key before a colon. Those inside scalars are
// counted too, since only a parser can tell.
func marks(b []byte) int {
	n := 0
	for i, c := range b {
		switch c {
		case ',', '[', '{', ':':
			n++
		case '-', '?': // of a block, if something like white space follows
			if i+1 == len(b) || !isWordByte(b[i+1]) {
				n++
			}
		}
	}
	return n
}

func isWordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == '-'
}

// read returns a stream, and keeps the container images in it.
func (b *BootImages) read(name string, raw []byte) (*stream.Stream, error) {
	if err := jsonlimit.Values(raw, maxValues); err != nil {
		return nil, err
	}
	var s *stream.Stream
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("not a stream in JSON: %w", err)
	}
	if s == nil || len(s.Architectures) == 0 {
		return nil, errors.New("the stream has no architectures")
	}
	for _, arch := range slices.Sorted(maps.Keys(s.Architectures)) {
		k := s.Architectures[arch].Images.KubeVirt
		if k == nil || k.DigestRef == "" {
			continue
		}
		ref, err := imageref.Parse(k.DigestRef)
		if err == nil && ref.Digest() == "" {
			err = fmt.Errorf("%q has no digest", k.DigestRef)
		}
		if err != nil {
			return nil, fmt.Errorf("architectures.%s.images.kubevirt.digest-ref: %w", arch, err)
		}
		b.add(KubeVirtImage{Streams: []string{name}, Architecture: arch, Ref: ref})
	}
	return s, nil
}

func (b *BootImages) add(k KubeVirtImage) {
	for i, old := range b.kubevirt {
		if old.Ref == k.Ref && old.Architecture == k.Architecture {
			b.kubevirt[i].Streams = append(old.Streams, k.Streams...) // names come sorted
			return
		}
	}
	b.kubevirt = append(b.kubevirt, k)
}

// ReleaseVersion returns data.releaseVersion; "" if it is not there. It need not
// be the version of the release: CI builds leave a placeholder.
func (b *BootImages) ReleaseVersion() string { return b.releaseVersion }

// Default returns the stream for machines that name none (data.stream). The copy
// is the caller's own.
func (b *BootImages) Default() (*stream.Stream, bool) { return b.Stream("") }

// Names returns the names of the further streams (data.streams), sorted:
// "rhel-10", "rhel-9". A release with a single stream has none.
func (b *BootImages) Names() []string { return slices.Sorted(maps.Keys(b.named)) }

// Stream returns the stream of that name; for "" that of [BootImages.Default].
// The copy is the caller's own.
func (b *BootImages) Stream(name string) (*stream.Stream, bool) {
	s := b.shared(name)
	if s == nil {
		return nil, false
	}
	text, err := json.Marshal(s)
	if err != nil { // it was JSON
		return nil, false
	}
	own := new(stream.Stream)
	return own, json.Unmarshal(text, own) == nil
}

// For returns the stream for machines that name one; "" is for those that name none. A
// release that lists no names, as one before 5.0, has one stream for all of them. It costs
// nothing, and all callers share the stream: do not modify it. An error names the streams
// that there are.
func (b *BootImages) For(name string) (*stream.Stream, error) {
	if s := b.shared(name); s != nil {
		return s, nil
	}
	if b.standard != nil && b.named == nil {
		return b.standard, nil
	}
	return nil, fmt.Errorf("coreos-bootimages: stream %q not found; available streams: %v", name, b.Names())
}

func (b *BootImages) shared(name string) *stream.Stream {
	if name == "" {
		return b.standard
	}
	return b.named[name]
}

// Streams returns the named streams, sorted by name. The copies are the caller's
// own.
func (b *BootImages) Streams() iter.Seq2[string, *stream.Stream] {
	return func(yield func(string, *stream.Stream) bool) {
		for _, name := range b.Names() {
			if s, ok := b.Stream(name); ok && !yield(name, s) {
				return
			}
		}
	}
}

// KubeVirt returns the KubeVirt boot image, by digest, of a stream ("" is the
// default one) and an architecture ("x86_64").
func (b *BootImages) KubeVirt(streamName, architecture string) (imageref.Ref, bool) {
	for _, k := range b.kubevirt {
		if k.Architecture == architecture && slices.Contains(k.Streams, streamName) {
			return k.Ref, true
		}
	}
	return imageref.Ref{}, false
}

// KubeVirtImages returns the container images among the boot images of all
// streams, each once. They have to be mirrored besides the components of a
// release, and no mirroring tool finds them by itself.
func (b *BootImages) KubeVirtImages() []KubeVirtImage {
	out := slices.Clone(b.kubevirt)
	for i := range out {
		out[i].Streams = slices.Clone(out[i].Streams)
	}
	return out
}

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
	// Streams are kept as JSON that was read once: what is handed out is decoded
	// anew and the caller's own.
	standard json.RawMessage            // nil if there is none
	named    map[string]json.RawMessage // by name
	kubevirt []KubeVirtImage
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

// Parse reads the ConfigMap, YAML or JSON. Errors name the key that is wrong.
// Streams that are there must be readable. One that is empty, {} or null, is as good as
// none, as for HyperShift; a ConfigMap that has neither data.stream nor data.streams is
// an error. What is larger than [MaxSize], or has as much in it as no boot images do, is an error
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
		b.standard = json.RawMessage(standard)
		if err := b.check("", b.standard); err != nil {
			return nil, fmt.Errorf("data.stream: %w", err)
		}
	}
	s, hasNamed := cm.Data["streams"]
	if hasNamed && !isEmpty(s) {
		if err := jsonlimit.Values([]byte(s), maxValues); err != nil {
			return nil, fmt.Errorf("data.streams: %w", err)
		}
		if err := json.Unmarshal([]byte(s), &b.named); err != nil {
			return nil, fmt.Errorf("data.streams: not a JSON object of streams: %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(b.named)) {
			if name == "" {
				return nil, errors.New("data.streams: a stream without a name")
			}
			if isEmpty(string(b.named[name])) {
				delete(b.named, name)
				continue
			}
			if err := b.check(name, b.named[name]); err != nil {
				return nil, fmt.Errorf("data.streams: %q: %w", name, err)
			}
		}
	}
	if !hasStandard && !hasNamed {
		return nil, errors.New("neither data.stream nor data.streams names a stream")
	}
	return b, nil
}

// isEmpty reports whether a stream, or a list of streams, says nothing.
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

// check reads a stream for errors, and for the container images in it.
func (b *BootImages) check(name string, raw json.RawMessage) error {
	if err := jsonlimit.Values(raw, maxValues); err != nil {
		return err
	}
	var s *stream.Stream
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("not a stream in JSON: %w", err)
	}
	if s == nil || len(s.Architectures) == 0 {
		return errors.New("the stream has no architectures")
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
			return fmt.Errorf("architectures.%s.images.kubevirt.digest-ref: %w", arch, err)
		}
		b.add(KubeVirtImage{Streams: []string{name}, Architecture: arch, Ref: ref})
	}
	return nil
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
func (b *BootImages) Default() (*stream.Stream, bool) { return decode(b.standard) }

// Names returns the names of the further streams (data.streams), sorted:
// "rhel-10", "rhel-9". A release with a single stream has none.
func (b *BootImages) Names() []string { return slices.Sorted(maps.Keys(b.named)) }

// Stream returns the stream of that name; for "" that of [BootImages.Default].
// The copy is the caller's own.
func (b *BootImages) Stream(name string) (*stream.Stream, bool) {
	if name == "" {
		return b.Default()
	}
	return decode(b.named[name])
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

func decode(raw json.RawMessage) (*stream.Stream, bool) {
	if raw == nil {
		return nil, false
	}
	s := new(stream.Stream)
	if err := json.Unmarshal(raw, s); err != nil { // it was read before
		return nil, false
	}
	return s, true
}

package imageref

import (
	"errors"
	"fmt"
	"strings"
)

// Base is what the leading part of a reference can be replaced by: the location
// of a mirror. It is judged once, when it is made, so that a reference put onto
// it needs no parsing. It is immutable and comparable.
//
// Base and what goes with it (NewBase, SameBase, UnpackBase, Rebase) are plumbing of
// package policy, whose Rules are what others want.
type Base struct {
	text string
	host uint16 // end of the registry in text, where kind says that there is one
	kind baseKind
}

type baseKind uint8

const (
	// baseOdd bases are parsed anew with every reference: they are no location, or
	// one that Docker Hub's defaults would change.
	baseOdd baseKind = iota
	// baseSame leaves the reference in its place.
	baseSame
	// baseHost is a registry without a port, baseHostPort one with.
	baseHost
	baseHostPort
	// basePath is a registry and the leading components of a repository, or all.
	basePath
)

// SameBase returns the Base that leaves a reference where it is. Plumbing, see [Base].
func SameBase() Base { return Base{kind: baseSame} }

// NewBase makes a Base of a location. It accepts anything: a malformed location is an
// error only when a reference is put onto it, as in containers/image. Plumbing, see
// [Base].
func NewBase(location string) Base {
	if len(location) > maxText { // no reference is that long: say so without keeping it all
		return Base{text: location[:maxText+1]}
	}
	b := Base{text: location}
	slash := strings.IndexByte(location, '/')
	registry := location
	if slash >= 0 {
		registry = location[:slash]
	}
	if !isNodeRegistry(registry) || registry == defaultRegistry || registry == legacyRegistry {
		return b
	}
	b.host = uint16(len(registry))
	if slash < 0 {
		b.kind = baseHost
		if strings.IndexByte(registry, ':') >= 0 {
			b.kind = baseHostPort
		}
		return b
	}
	if end, err := scanRepository(location, slash+1); err == nil && end == len(location) {
		b.kind = basePath
	}
	return b
}

// Pack takes b apart, for those who lay many of them out in one text.
func (b Base) Pack() (location string, form uint32) {
	return b.text, uint32(b.host) | uint32(b.kind)<<16
}

// UnpackBase puts together what [Base.Pack] took apart. Any other pair makes
// references that are not sound. Plumbing, see [Base].
func UnpackBase(location string, form uint32) Base {
	return Base{text: location, host: uint16(form), kind: baseKind(form >> 16)}
}

// IsPlain reports whether b is a location as nodes want it, so that everything
// put onto it lies below String. Any other is parsed with each reference.
func (b Base) IsPlain() bool { return b.kind > baseSame }

// String returns the location, "" where the reference stays.
func (b Base) String() string { return b.text }

// Rebase puts the first len(dst) = len(bases) references together: r, normalized
// as by [Ref.Normalize], with its first cut bytes replaced by each base in turn.
// All share one piece of memory. cut must not be beyond the end of r's
// repository.
//
// The result must be what containers/image accepts as a reference in canonical
// form, which it judges with its own, older grammar: it has a registry with a
// dot, a colon or the name localhost, which is no IPv6 literal. If one is not,
// Rebase returns the index of the first such base and the reason, and dst is not
// to be used. Plumbing, see [Base]: [github.com/mirrorchain/mirrorchain/policy.Rules]
// apply whole policies.
func Rebase(dst []Ref, r Ref, cut int, bases []Base) (int, error) {
	suffix := r.text[r.name:]
	switch hasTag, hasDigest := r.tag > r.name, int(r.tag) < len(r.text); {
	case hasTag && hasDigest:
		suffix = r.text[r.tag:]
	case !hasTag && !hasDigest:
		suffix = ":latest"
	}
	normal := len(suffix) == len(r.text)-int(r.name)
	mid := r.text[cut:r.name]

	size := 0
	for i, b := range bases {
		switch {
		case b.kind == baseSame && normal:
		case b.kind == baseSame:
			size += int(r.name) + len(suffix)
		case b.kind == baseOdd || r.text[0] == '[':
			var err error
			if dst[i], err = parseNode(b.text + mid + suffix); err != nil {
				return i, err
			}
		default:
			if err := b.fits(r, cut); err != nil {
				return i, err
			}
			size += len(b.text) + len(mid) + len(suffix)
		}
	}
	var buf strings.Builder
	buf.Grow(size)
	for i, b := range bases {
		head, host := b.text, int(b.host)
		switch {
		case b.kind == baseSame && normal:
			dst[i] = r
			continue
		case b.kind == baseSame:
			head, host = r.text[:cut], int(r.host)
		case b.kind == baseOdd || r.text[0] == '[':
			continue // done above
		case cut < int(r.host): // a port stays with the new host
			host += int(r.host) - cut
		}
		start := buf.Len()
		buf.WriteString(head)
		buf.WriteString(mid)
		buf.WriteString(suffix)
		name := len(head) + len(mid)
		tag := name
		if suffix[0] == ':' {
			tag += len(suffix)
		}
		dst[i] = Ref{text: buf.String()[start:], host: uint16(host), name: uint16(name), tag: uint16(tag)}
	}
	return 0, nil
}

// fits judges the seam, the only place where a reference and a base that are
// both sound can make one that is not.
func (b Base) fits(r Ref, cut int) error {
	rest := int(r.name) - cut
	switch {
	case len(b.text)+rest > maxName:
		return errTooLong
	case rest == 0:
		if b.kind != basePath {
			return errNoRepository
		}
	case r.text[cut] == '/':
	case cut < int(r.host) && r.text[cut] == ':':
		if b.kind != baseHost {
			return errPort
		}
	default:
		return errSeam
	}
	return nil
}

var (
	errNoRepository = errors.New("no repository is left; the mirror of a whole repository must be a repository")
	errPort         = errors.New("a port would follow a port or a path; the source needs the port too, or the mirror must be a host without one")
	errSeam         = errors.New("the source ends inside a component")
	errIPv6         = errors.New("nodes accept no IPv6 literal as a registry; use a host name")
	errNoHost       = errors.New("it starts with no registry host (no dot, no port), and nodes refuse it")
	errNoRegistry   = errors.New("nodes take its first component for a part of a Docker Hub repository; want a host with a dot or a port")
)

// parseNode parses s as ParseNamed of containers/image does: s must be in canonical form.
func parseNode(s string) (Ref, error) {
	if first, _, _ := strings.Cut(s, "/"); isPlainComponent(first) {
		return Ref{}, errNoHost
	}
	r, err := parse(s)
	switch {
	case err != nil:
		return Ref{}, fmt.Errorf("%q: %w", s, err)
	case r.text != s:
		return Ref{}, fmt.Errorf("%q is not canonical, it means %s: %w", s, r.text, errNoRegistry)
	case s[0] == '[':
		return Ref{}, fmt.Errorf("%q: %w", s, errIPv6)
	case !isNodeRegistry(r.Registry()):
		return Ref{}, fmt.Errorf("%q: %w", s, errNoRegistry)
	}
	return r, nil
}

// isPlainComponent reports whether s can be nothing but the first component of a
// Docker Hub repository.
func isPlainComponent(s string) bool {
	end := scanComponent(s, 0)
	return end > 0 && end == len(s) && !strings.Contains(s, ".") && s != "localhost"
}

// isNodeRegistry reports whether s is what containers/image takes for a
// registry where it may also be the first component of a repository.
func isNodeRegistry(s string) bool {
	return (strings.ContainsAny(s, ".:") || s == "localhost") && isLocationHost(s)
}

// IsLocation reports whether s is what the API accepts as a mirror
// (openshift/api config/v1, ImageMirror): HOST[:PORT][/COMPONENT]... without
// scheme, tag, digest, trailing slash or IPv6 literal. A host without a dot is
// one, though nodes cannot pull from it.
func IsLocation(s string) bool {
	registry, path, found := strings.Cut(s, "/")
	if !isLocationHost(registry) {
		return false
	}
	if !found {
		return true
	}
	end, err := scanRepository(path, 0)
	return err == nil && end == len(path)
}

// IsHost reports whether s is a host name without a port.
func IsHost(s string) bool { return s != "" && scanHostName(s, 0) == len(s) }

func isLocationHost(s string) bool {
	i := scanHostName(s, 0)
	return i > 0 && isPort(s[i:])
}

// ParseCanonical parses a reference that is written in full: where Parse
// would fill something in, it fails. Errors match [ErrInvalid].
func ParseCanonical(s string) (Ref, error) {
	if first, _, path := strings.Cut(s, "/"); path && isPlainComponent(first) {
		return Ref{}, errNoHost
	}
	r, err := Parse(s)
	if err == nil && r.text != s {
		return Ref{}, &parseError{s, fmt.Errorf("it is not canonical, it means %s; write the registry with a dot or a port", r.text)}
	}
	return r, err
}

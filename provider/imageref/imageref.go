// Package imageref parses, compares and rebases image references.
//
// A [Ref] is a small comparable value, like [net/netip.Addr]: it can be a map
// key and two equal references are ==. It is always fully qualified: the
// docker.io and library/ defaults are filled in when it is parsed, as CRI-O and
// containers/image fill them in before they look a mirror up.
//
// The package knows nothing about mirrors or policies; see package policy.
package imageref

import "strings"

// Ref is a fully qualified image reference: registry/repository, and a tag, a
// digest, both or neither. The zero Ref names nothing; only [Parse] and methods
// of a Ref make others.
type Ref struct {
	text string // "registry/repository[:tag][@digest]"

	// Offsets into text, kept so that no accessor searches or allocates.
	host uint16 // end of the registry
	name uint16 // end of the repository
	tag  uint16 // end of the tag; equal to name when there is none
}

// MustParse parses constants and references in tests. It panics where [Parse] fails.
func MustParse(s string) Ref {
	r, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return r
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r.text == "" }

// String returns the whole reference, in the form that Parse reads back to r.
func (r Ref) String() string { return r.text }

// Registry returns the host and, where there is one, the port: "quay.io", "[::1]:5000".
func (r Ref) Registry() string { return r.text[:r.host] }

// Repository returns the path inside the registry, without a leading slash.
func (r Ref) Repository() string {
	if r.text == "" {
		return ""
	}
	return r.text[r.host+1 : r.name]
}

// Name returns registry and repository: what mirror policies match against.
func (r Ref) Name() string { return r.text[:r.name] }

// Tag returns the tag, or "".
func (r Ref) Tag() string {
	if r.tag == r.name {
		return ""
	}
	return r.text[r.name+1 : r.tag]
}

// Digest returns the digest ("sha256:..."), or "".
func (r Ref) Digest() string {
	if int(r.tag) == len(r.text) {
		return ""
	}
	return r.text[r.tag+1:]
}

// Identifier returns what a registry is asked for: the digest if there is one, else
// the tag, else "".
func (r Ref) Identifier() string {
	if d := r.Digest(); d != "" {
		return d
	}
	return r.Tag()
}

// Normalize returns r as a node pulls it: with both a tag and a digest the tag is
// dropped, with neither the tag is "latest" (CRI-O's order of ParseNormalizedNamed,
// TagNameOnly). It allocates only when something changes.
func (r Ref) Normalize() Ref {
	switch hasTag, hasDigest := r.tag > r.name, int(r.tag) < len(r.text); {
	case r.text == "":
		return r
	case hasTag && hasDigest:
		return Ref{text: r.text[:r.name] + r.text[r.tag:], host: r.host, name: r.name, tag: r.name}
	case !hasTag && !hasDigest:
		text := r.text + ":latest"
		return Ref{text: text, host: r.host, name: r.name, tag: uint16(len(text))}
	}
	return r
}

// WithDigest returns the same repository at a digest, without a tag. It costs one
// allocation. Errors match [ErrInvalid].
func (r Ref) WithDigest(digest string) (Ref, error) {
	if r.IsZero() || !isDigest(digest) {
		return Parse(r.Name() + "@" + digest) // which says what is wrong
	}
	return Ref{text: r.text[:r.name] + "@" + digest, host: r.host, name: r.name, tag: r.name}, nil
}

// Compare orders references by their text.
func (r Ref) Compare(o Ref) int { return strings.Compare(r.text, o.text) }

// MarshalText implements [encoding.TextMarshaler].
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.text), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; empty text is the zero Ref.
// Errors match [ErrInvalid].
func (r *Ref) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*r = Ref{}
		return nil
	}
	*r, err = Parse(string(b))
	return err
}

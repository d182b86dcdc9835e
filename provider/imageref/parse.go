package imageref

import (
	"errors"
	"fmt"
	"strings"
)

const (
	defaultRegistry = "docker.io"
	legacyRegistry  = "index.docker.io"
	officialPrefix  = "library/"

	// maxName is the longest registry and repository together, as
	// containers/image counts it; distribution/reference leaves the registry out.
	maxName = 255
	// maxTag is the longest tag, without its colon.
	maxTag = 128
	// maxText is more than any reference that parses: maxName, ":" and maxTag,
	// "@sha512:" and 128 digits. Offsets fit a uint16 below it.
	maxText = maxName + 1 + maxTag + 1 + len("sha512:") + 128
)

var (
	errEmpty      = errors.New("it is empty")
	errIdentifier = errors.New("64 hexadecimal digits are an image ID, not a repository; want a name, or NAME@sha256:DIGEST")
	errUppercase  = errors.New("a repository must be lower case")
	errRegistry   = errors.New("the part before the first slash is no registry; want HOST[:PORT]")
	errRepository = errors.New("not a repository; want components of a-z, 0-9 and single . _ - between slashes")
	errTag        = errors.New("not a tag; want up to 128 of a-z, A-Z, 0-9, _ . -")
	errDigest     = errors.New("not a digest; want sha256: and 64 lower-case hexadecimal digits (or sha384:, sha512:)")
	errTooLong    = fmt.Errorf("registry and repository are longer than %d characters", maxName)
)

// ErrInvalid matches every error of [Parse], [ParseCanonical], [Ref.WithDigest] and
// [Ref.UnmarshalText]: the text is no reference.
var ErrInvalid = errors.New("invalid image reference")

type parseError struct {
	text string
	why  error
}

func (e *parseError) Error() string {
	return fmt.Sprintf("parsing image reference %q: %v", e.text, e.why)
}
func (e *parseError) Unwrap() error        { return e.why }
func (e *parseError) Is(target error) bool { return target == ErrInvalid }

// Parse reads a reference as a user, a pod or a policy writes it. Short Docker
// Hub names are completed ("alpine" is docker.io/library/alpine); a missing tag
// stays missing, see [Ref.Normalize].
//
// It accepts what github.com/distribution/reference accepts as a normalized
// name, with two exceptions: registry and repository together may have 255
// characters, the limit of containers/image, and a first component that looks
// like a host but is none ("my_host.com/a") is refused, where that library reads
// it as a name without a registry.
//
// A reference that is written in full is kept as it is and costs no allocation.
// Errors match [ErrInvalid].
func Parse(s string) (Ref, error) {
	r, err := parse(s)
	if err != nil {
		if len(s) > maxText {
			s = s[:maxText] + "..."
		}
		return Ref{}, &parseError{s, err}
	}
	return r, nil
}

func parse(s string) (Ref, error) {
	if s == "" {
		return Ref{}, errEmpty
	}
	if len(s) > maxText {
		return Ref{}, errTooLong
	}
	text, host, err := qualify(s)
	if err != nil {
		return Ref{}, err
	}
	name, err := scanRepository(text, host+1)
	if err != nil {
		return Ref{}, err
	}
	if name > maxName {
		return Ref{}, errTooLong
	}
	tag := name
	if tag < len(text) && text[tag] == ':' {
		if tag = scanTag(text, name+1); tag == name+1 || tag-name-1 > maxTag {
			part, _, _ := strings.Cut(text[name+1:], "@")
			return Ref{}, partError(part, errTag)
		}
	}
	if tag < len(text) {
		switch {
		case text[tag] == '@':
			if !isDigest(text[tag+1:]) {
				return Ref{}, partError(text[tag+1:], errDigest)
			}
		case tag > name:
			part, _, _ := strings.Cut(text[name+1:], "@")
			return Ref{}, partError(part, errTag)
		default:
			return Ref{}, repositoryError(text, host+1)
		}
	}
	return Ref{text: text, host: uint16(host), name: uint16(name), tag: uint16(tag)}, nil
}

// qualify fills in docker.io and library/ where they are missing and returns the
// whole text and the end of its registry, which is checked.
func qualify(s string) (text string, host int, err error) {
	slash := strings.IndexByte(s, '/')
	if slash < 0 {
		if isIdentifier(s) {
			return "", 0, errIdentifier
		}
		return defaultRegistry + "/" + officialPrefix + s, len(defaultRegistry), nil
	}
	registry, rest := s[:slash], s[slash+1:]
	switch {
	case registry == defaultRegistry, registry == legacyRegistry:
		if strings.IndexByte(rest, '/') < 0 {
			return defaultRegistry + "/" + officialPrefix + rest, len(defaultRegistry), nil
		}
		if registry == legacyRegistry {
			return defaultRegistry + "/" + rest, len(defaultRegistry), nil
		}
	case !looksLikeRegistry(registry):
		return defaultRegistry + "/" + s, len(defaultRegistry), nil
	case !isHostPort(registry):
		return "", 0, partError(registry, errRegistry)
	}
	return s, slash, nil
}

// looksLikeRegistry tells a registry from the first component of a Docker Hub
// repository: by a dot, a colon, an upper-case letter, or the name localhost.
func looksLikeRegistry(s string) bool {
	if s == "localhost" {
		return true
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.', c == ':', 'A' <= c && c <= 'Z':
			return true
		}
	}
	return false
}

// repositoryError returns why text does not go on after its repository.
func repositoryError(text string, from int) error {
	end := len(text)
	if i := strings.IndexAny(text[from:], ":@"); i >= 0 {
		end = from + i
	}
	for part := range strings.SplitSeq(text[from:end], "/") {
		switch {
		case part != "" && scanComponent(part, 0) == len(part):
		case strings.ToLower(part) != part:
			return partError(part, errUppercase)
		default:
			return partError(part, errRepository)
		}
	}
	return errRepository
}

// partError returns an error that names the wrong part of a reference.
func partError(part string, why error) error { return fmt.Errorf("%q: %w", part, why) }

package provider

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// CheckPatterns returns an error if one of the patterns of [Image].Files is
// malformed: an [*Error] of [ClassInvalid] that matches [path.ErrBadPattern].
// Implementations of Image call it before they ask a registry.
//
// A pattern is what [path.Match] reads, component by component. In every other
// way it is like a name for [io/fs]: UTF-8, components between single slashes, no
// slash at the beginning or end, no component "." or "..".
func CheckPatterns(patterns ...string) error {
	for _, p := range patterns {
		if err := checkPattern(p); err != nil {
			return &Error{Class: ClassInvalid, Err: fmt.Errorf("pattern %q: %w", p, err)}
		}
	}
	return nil
}

func checkPattern(p string) error {
	if !fs.ValidPath(p) || p == "." {
		return fmt.Errorf(`%w; want a name inside the image, such as "etc/os-release", "etc/*.conf" or "etc/**", with no slash at either end, no empty component, and neither . nor .. as one`, path.ErrBadPattern)
	}
	for part := range strings.SplitSeq(p, "/") {
		if _, err := path.Match(part, ""); err != nil {
			return fmt.Errorf(`%w at %q; want what path.Match reads, where a literal [ is written \[`, err, part)
		}
	}
	return nil
}

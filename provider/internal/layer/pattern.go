package layer

import (
	"path"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// pattern is a wanted name: components that [path.Match] reads, and perhaps a
// last "**" that stands for everything below.
type pattern struct {
	text    string
	parts   []string
	below   bool // ended in "/**"
	literal bool // no wildcard at all
}

func parsePattern(s string) (pattern, error) {
	if err := provider.CheckPatterns(s); err != nil {
		return pattern{}, err
	}
	p := pattern{text: s, parts: strings.Split(s, "/")}
	if last := len(p.parts) - 1; p.parts[last] == "**" {
		p.parts, p.below = p.parts[:last], true
	}
	p.literal = !p.below && !strings.ContainsAny(s, `*?[\`)
	return p, nil
}

// literally returns the pattern for one name, whatever characters it has.
func literally(name string) pattern {
	return pattern{text: name, parts: strings.Split(name, "/"), literal: true}
}

// relation of a name to a pattern.
type relation uint8

const (
	unrelated relation = iota
	beneath            // a wanted name is a directory: this is in it
	above              // a directory that a match may lie below
	matches
)

// relate allocates nothing: it is asked about every entry of every layer.
func (p *pattern) relate(name string) relation {
	for i, part := range p.parts {
		if name == "" {
			return above
		}
		var first string
		first, name = split(name)
		if !p.matchPart(part, first) {
			return unrelated
		}
		if i == len(p.parts)-1 && name == "" {
			if p.below {
				return above
			}
			return matches
		}
	}
	if p.below && name != "" {
		return matches
	}
	switch {
	case len(p.parts) == 0:
		return above
	case p.literal:
		return beneath
	}
	return unrelated
}

func (p *pattern) matchPart(part, name string) bool {
	if p.literal {
		return part == name
	}
	ok, _ := path.Match(part, name) // checked when parsed
	return ok
}

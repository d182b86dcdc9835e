package layer

import (
	"path"
	"slices"
	"strings"
)

type state uint8

const (
	unknown state = iota // not in the layers so far
	missing              // and no lower layer can have it
	found
)

// follow finds what is at name, links followed as the kernel would with the
// image as its root: ".." at the root stays there. physical is the name without
// links. rest is what is wanted below; it matters for what is noted as wanted
// where a link leads to a place that was not looked at.
func (s *Search) follow(name string, rest *pattern) (physical string, n *node, st state) {
	type step struct {
		name string
		node *node
	}
	at := []step{{"", &s.root}}
	hops, steps := 0, 0
	for todo := name; todo != ""; {
		var first string
		first, todo = split(todo)
		here := at[len(at)-1]
		if steps++; steps > maxSteps {
			return here.name, nil, missing
		}
		switch first {
		case "", ".":
			continue
		case "..":
			if len(at) > 1 {
				at = at[:len(at)-1]
			}
			continue
		}
		full := path.Join(here.name, first)
		c := here.node.child(first)
		if c == nil {
			wanted := wantedAt(path.Join(full, todo), rest)
			if strings.Contains("/"+todo+"/", "/../") {
				// Where ".." leads depends on what full is.
				wanted = literally(full)
			}
			if s.need(wanted) || !here.node.sealed {
				return full, nil, unknown
			}
			return full, nil, missing
		}
		switch c.kind {
		case directory:
			at = append(at, step{full, c})
		case symlink, hardlink:
			if hops++; hops > maxHops {
				return full, nil, missing
			}
			if c.kind == hardlink || strings.HasPrefix(c.target, "/") {
				at = at[:1]
			}
			todo = c.target + "/" + todo
		case file:
			if strings.Trim(todo, "/") != "" {
				return full, nil, missing
			}
			if !c.kept && s.need(literally(full)) {
				return full, nil, unknown
			}
			return full, c, found
		default:
			return full, nil, missing
		}
	}
	last := at[len(at)-1]
	if rest != nil && last.name != name {
		s.need(wantedAt(last.name, rest))
	}
	return last.name, last.node, found
}

// wantedAt is the pattern for rest below a name; for the name alone where rest
// is nil.
func wantedAt(name string, rest *pattern) pattern {
	if rest == nil {
		return literally(name)
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		if part != "" {
			parts = append(parts, escape(part))
		}
	}
	parts = append(parts, rest.parts...)
	text := strings.Join(parts, "/")
	if rest.below {
		text += "/**"
	}
	return pattern{text: text, parts: parts, below: rest.below}
}

// escape makes a name a pattern for itself.
func escape(name string) string {
	if !strings.ContainsAny(name, `*?[\`) {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		if strings.IndexByte(`*?[\`, name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// covers reports that whatever p wants, w does.
func (w *pattern) covers(p *pattern) bool {
	if p.literal {
		return w.relate(p.text) == matches
	}
	// Below a directory without wildcards is the one case that matters.
	return w.below && len(p.parts) >= len(w.parts) && slices.Equal(w.parts, p.parts[:len(w.parts)])
}

// expand calls emit for every file that p matches, under the name that p knows
// it by. It goes through links, so it may note more as wanted.
func (s *Search) expand(p pattern, emit func(name string, n *node) error) error {
	if p.literal {
		if _, n, st := s.follow(p.text, nil); st == found && n.kind == file {
			return emit(p.text, n)
		}
		return nil
	}
	return s.expandIn("", "", p, emit)
}

// expandIn matches p against what is in the directory at the physical name dir,
// which is called out. Links to directories are gone through where a pattern
// names them; below "**" they are not, as a shell's globstar has it: one link to
// the root would make it the whole image, again and again.
func (s *Search) expandIn(dir, out string, p pattern, emit func(string, *node) error) error {
	n := s.root.at(dir)
	if n == nil || n.kind != directory {
		return nil
	}
	below := len(p.parts) == 0
	rest := p
	if !below {
		rest = pattern{parts: p.parts[1:], below: p.below}
	}
	last := below || len(rest.parts) == 0 && !p.below // a file would match
	for _, name := range n.names() {
		if !below && !p.matchPart(p.parts[0], name) {
			continue
		}
		var wanted *pattern
		if !last {
			wanted = &rest
		}
		full, as := path.Join(dir, name), path.Join(out, name)
		physical, c, st := s.follow(full, wanted)
		switch {
		case st != found:
		case c.kind == file && last:
			if err := emit(as, c); err != nil {
				return err
			}
		case c.kind == directory && (!last || below && physical == full):
			if err := s.expandIn(physical, as, rest, emit); err != nil {
				return err
			}
		}
	}
	return nil
}

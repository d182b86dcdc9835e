package layer

import (
	"context"
	"fmt"
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

// position is a directory on the way to a name, and its own name in the one before.
type position struct {
	name string
	node *node
}

// follow finds what is at name in the last of the directories from, links
// followed as the kernel would with the image as its root: ".." at the root stays
// there. at is the way to it where it is a directory; it may share memory with
// from beyond its length. rest is what is wanted below; it matters for what is
// noted as wanted where a link leads to a place that was not looked at.
func (s *Search) follow(from []position, name string, rest *pattern) (at []position, n *node, st state) {
	at = from
	todo := []string{name} // the last comes first
	hops := 0
	for steps := 1; len(todo) > 0; steps++ {
		if s.steps++; steps > maxSteps {
			return at, nil, missing
		}
		next := len(todo) - 1
		var first string
		if first, todo[next] = split(todo[next]); todo[next] == "" {
			todo = todo[:next]
		}
		here := at[len(at)-1].node
		switch first {
		case "", ".":
			continue
		case "..":
			if len(at) > 1 {
				at = at[:len(at)-1]
			}
			continue
		}
		c := here.child(first)
		if c == nil {
			full, follows := nameOf(at, first), remaining(todo)
			wanted := wantedAt(path.Join(full, follows), rest)
			if strings.Contains("/"+follows+"/", "/../") {
				// Where ".." leads depends on what full is.
				wanted = literally(full)
			}
			if s.need(wanted) || !here.sealed {
				return at, nil, unknown
			}
			return at, nil, missing
		}
		switch c.kind {
		case directory:
			at = append(at, position{first, c})
		case symlink, hardlink:
			if hops++; hops > maxHops {
				return at, nil, missing
			}
			if c.kind == hardlink || strings.HasPrefix(c.target, "/") {
				at = at[:1]
			}
			if hops == 1 { // what from holds is not ours to write over
				at = slices.Clone(at)
			}
			todo = append(todo, c.target)
		case file:
			if strings.Trim(remaining(todo), "/") != "" {
				return at, nil, missing
			}
			if !c.kept && s.need(literally(nameOf(at, first))) {
				return at, nil, unknown
			}
			return at, c, found
		default:
			return at, nil, missing
		}
	}
	if rest != nil && hops > 0 {
		s.need(wantedAt(nameOf(at, ""), rest))
	}
	return at, at[len(at)-1].node, found
}

// find follows a name from the root.
func (s *Search) find(name string) (n *node, st state) {
	_, n, st = s.follow([]position{{"", &s.root}}, name, nil)
	return n, st
}

func nameOf(at []position, last string) string {
	parts := make([]string, 0, len(at))
	for _, p := range at[1:] {
		parts = append(parts, p.name)
	}
	if last != "" {
		parts = append(parts, last)
	}
	return strings.Join(parts, "/")
}

func remaining(todo []string) string {
	if len(todo) == 0 {
		return ""
	}
	todo = slices.Clone(todo)
	slices.Reverse(todo)
	return strings.Join(todo, "/")
}

// wantedAt returns the pattern for rest below a name; for the name alone where rest
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

// covers reports that whatever p wants, which has wildcards, w does.
func (w *pattern) covers(p *pattern) bool {
	// Below a directory without wildcards is the one case that matters.
	return w.below && len(p.parts) >= len(w.parts) && slices.Equal(w.parts, p.parts[:len(w.parts)])
}

// expand calls emit, if not nil, for every file that p matches, under the name
// that p knows it by. It goes through links, so it may note more as wanted.
func (s *Search) expand(ctx context.Context, p pattern, emit func(name string, n *node) error) error {
	if err := s.stopped(ctx); err != nil {
		return err
	}
	if p.literal {
		if n, st := s.find(p.text); st == found && n.kind == file && emit != nil {
			return emit(p.text, n)
		}
		return nil
	}
	dirs := 0
	return s.expandIn(ctx, []position{{"", &s.root}}, "", p, &dirs, emit)
}

// expandIn matches p against what is in the last of the directories at, which is
// called out. Links to directories are gone through where a pattern names them;
// below "**" they are not, as a shell's globstar has it: one link to the root
// would make it the whole image, again and again. dirs counts how often a
// directory was looked at.
func (s *Search) expandIn(ctx context.Context, at []position, out string, p pattern, dirs *int, emit func(string, *node) error) error {
	if *dirs++; *dirs > s.limits.Entries {
		return &LimitError{fmt.Sprintf("pattern %q leads to directories more than %d times", short(p.text), s.limits.Entries)}
	}
	n := at[len(at)-1].node
	below := len(p.parts) == 0
	rest := p
	if !below {
		rest = pattern{text: p.text, parts: p.parts[1:], below: p.below}
	}
	last := below || len(rest.parts) == 0 && !p.below // a file would match
	for _, name := range n.names() {
		s.steps++
		if err := s.stopped(ctx); err != nil {
			return err
		}
		if !below && !p.matchPart(p.parts[0], name) {
			continue
		}
		var wanted *pattern
		if !last {
			wanted = &rest
		}
		to, c, st := s.follow(at, name, wanted)
		if st != found {
			continue
		}
		as := ""
		if emit != nil {
			as = path.Join(out, name)
		}
		linked := n.child(name).kind != directory
		switch {
		case c.kind == file && last && emit != nil:
			if err := emit(as, c); err != nil {
				return err
			}
		case c.kind == directory && (!last || below && !linked):
			if err := s.expandIn(ctx, to, as, rest, dirs, emit); err != nil {
				return err
			}
		}
	}
	return nil
}

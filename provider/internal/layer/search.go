package layer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Search looks for files in the layers of one image. The caller scans one layer
// after the other, from the top, until the search is done:
//
//	for i := top; i >= 0 && !s.Done(); {
//		l, err := s.Scan(ctx, read(i)) // and judge the digest
//		switch again, err := s.Add(ctx, l); {
//		case again:
//			i = top
//		default:
//			i--
//		}
//	}
//
// What takes long ends with the error of its context. It is for one goroutine.
type Search struct {
	limits Limits
	files  *scratch // where content is kept; nil is in memory
	asked  []pattern
	until  []string
	wants  wants // asked, and where links lead

	root   node  // the layers so far, as one
	size   int64 // of the data kept
	repeat bool
	turns  int
	steps  int // taken by anything
	check  int // the steps at which to look at the context next
	noted  int // wants that links lead to
	err    error
}

// maxTurns bounds how often links may send a search back to the top, maxHops
// how many links one name may go through (Linux says 40), and maxSteps how many
// components, those of the links' targets with it: a name that goes further is
// not there. maxWants bounds the names that are looked for because links lead to
// them; the certificates of a distribution are some hundred.
const (
	maxTurns = 32
	maxHops  = 40
	maxWants = 4096
	maxSteps = 4 * maxComponents
)

var errTurns = errors.New("its links lead from one to the next too often")

// NewSearch wants the files that match patterns: names for [path.Match], without
// a leading slash, or "dir/**". The search is done when all names in until are
// settled; where until is empty and no pattern has a wildcard, when all are.
func NewSearch(limits Limits, patterns []string, until ...string) (*Search, error) {
	s := &Search{limits: limits, until: until}
	names := true
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		s.asked = append(s.asked, p)
		names = names && p.literal
	}
	if len(until) == 0 && names {
		for _, p := range s.asked {
			s.until = append(s.until, p.text)
		}
	}
	for _, p := range s.asked {
		s.wants.add(p)
	}
	s.restart()
	return s, nil
}

func (s *Search) restart() {
	s.root = node{mode: fs.ModeDir | 0o755}
	s.size, s.repeat = 0, false
	if s.files != nil {
		_ = s.files.clear() // what stays is removed by Close
	}
}

// Add puts a verified layer beneath those added before. Where it returns true, a
// link leads to a name that layers already read may hold, and the search has
// begun anew: the caller goes back to the top layer.
func (s *Search) Add(ctx context.Context, l *Layer) (repeat bool, err error) {
	if err := s.linkUp(ctx, l, &l.root); err != nil {
		return false, err
	}
	if !s.repeat {
		s.root.under(&l.root)
		s.size += l.size
		for _, p := range s.asked {
			if err := s.expand(ctx, p, nil); err != nil {
				return false, err
			}
		}
	}
	return s.restartIfNeeded()
}

// stopped returns the context's error, looked up every few hundred steps, or that of
// a search that met a limit.
func (s *Search) stopped(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	if s.steps < s.check {
		return nil
	}
	s.check = s.steps + checkEvery
	return ctx.Err()
}

const checkEvery = 256

func (s *Search) restartIfNeeded() (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	if !s.repeat {
		return false, nil
	}
	if s.turns++; s.turns > maxTurns {
		return false, errTurns
	}
	s.restart()
	return true, nil
}

// Done reports that no lower layer can change the answer.
func (s *Search) Done() bool {
	for _, name := range s.until {
		if _, st := s.find(name); st == unknown {
			return false
		}
	}
	return len(s.until) > 0 || len(s.asked) == 0
}

// File returns the content of the regular file at name, links followed.
func (s *Search) File(name string) ([]byte, bool) {
	n, st := s.find(name)
	if st != found || n.kind != file || !n.kept {
		return nil, false
	}
	return n.data, true
}

// Files returns all files that match what was asked for.
func (s *Search) Files(ctx context.Context) (fs.FS, error) {
	m := newMemory()
	if err := s.each(ctx, func(name string, n *node) error { m.add(name, n); return nil }); err != nil {
		return nil, err
	}
	m.finish()
	return m, nil
}

// need adds p to what is wanted, and reports whether that was news. Layers read
// before did not look for it.
func (s *Search) need(p pattern) bool {
	if len(p.parts) > maxComponents || p.literal && len(p.text) > maxName {
		return false // Scan takes no entry of such a name
	}
	if s.wants.cover(&p) {
		return false
	}
	if s.noted++; s.noted > maxWants {
		s.err = &LimitError{fmt.Sprintf("links lead to more than %d names that nobody asked for", maxWants)}
		return false
	}
	s.wants.add(p)
	s.repeat = true
	return true
}

// linkUp makes hard links of a layer what they link to. Their targets are names
// of the same layer, and stay good where an upper layer hides those.
func (s *Search) linkUp(ctx context.Context, l *Layer, n *node) error {
	for _, c := range n.children {
		s.steps++
		if err := s.stopped(ctx); err != nil {
			return err
		}
		if c.kind == directory {
			if err := s.linkUp(ctx, l, c); err != nil {
				return err
			}
			continue
		}
		for hops := 0; c.kind == hardlink && hops < maxHops; hops++ {
			s.steps += 1 + strings.Count(c.target, "/")
			t := l.root.at(c.target)
			if t == nil || t.kind == file && !t.kept {
				s.need(literally(c.target))
				break // or it is in a lower layer; follow sees to that
			}
			if t.kind == directory || t.kind == gone {
				break
			}
			c.kind, c.target, c.data, c.stored, c.kept, c.mode, c.modTime = t.kind, t.target, t.data, t.stored, t.kept, t.mode, t.modTime
		}
	}
	return nil
}

package layer

import "iter"

// wants are names and patterns. What links lead to are names, mostly; they are
// looked up, not gone through.
type wants struct {
	names    map[string]bool
	above    map[string]bool // directories that names lie below
	longest  int             // of names
	patterns []pattern       // with wildcards
}

func (w *wants) add(p pattern) {
	if !p.literal {
		w.patterns = append(w.patterns, p)
		return
	}
	if w.names == nil {
		w.names, w.above = make(map[string]bool), make(map[string]bool)
	}
	w.names[p.text], w.longest = true, max(w.longest, len(p.text))
	for dir := p.text; dir != ""; {
		dir, _ = cut(dir)
		w.above[dir] = true
	}
}

// cover reports that whatever p wants is wanted.
func (w *wants) cover(p *pattern) bool {
	if p.literal {
		return w.relate(p.text) == matches
	}
	for i := range w.patterns {
		if o := &w.patterns[i]; o.text == p.text || o.covers(p) {
			return true
		}
	}
	return false
}

// relate returns the closest relation of a name to anything wanted.
func (w *wants) relate(name string) relation {
	best := unrelated
	switch {
	case w.names[name]:
		return matches
	case w.above[name]:
		best = above
	default:
		for range w.wantedAbove(name) {
			best = beneath
			break
		}
	}
	for i := range w.patterns {
		if best = max(best, w.patterns[i].relate(name)); best == matches {
			break
		}
	}
	return best
}

// wantedAbove returns the wanted names that name would lie below if they were directories.
func (w *wants) wantedAbove(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range min(len(name), w.longest+1) {
			if name[i] == '/' && w.names[name[:i]] && !yield(name[:i]) {
				return
			}
		}
	}
}

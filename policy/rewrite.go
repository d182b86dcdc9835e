package policy

import (
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// rewrites are the Rewrite rules, by source.
type rewrites struct {
	bySource map[string]*rewrite
	sorted   []*rewrite
}

type rewrite struct {
	source, target, origin string
	exported               bool // merged before: what others state goes before it
}

func newRewrites(rules []*Rule) (rewrites, error) {
	w := rewrites{bySource: make(map[string]*rewrite, len(rules))}
	for _, r := range rules {
		source := strings.TrimRight(r.Source, "/")
		if source == "" { // "=" is how an empty flag is written
			continue
		}
		origins := []string{r.Origin}
		if len(r.Mirrors) != 1 {
			return rewrites{}, invalidEntries(origins, "rewriting %s: %d targets; want exactly one", source, len(r.Mirrors))
		}
		target := strings.TrimRight(r.Mirrors[0].Location, "/")
		switch {
		case isWildcard(source):
			return rewrites{}, invalidEntries(origins, "rewriting %s: wildcards are not supported here; name a registry, a namespace or a repository", source)
		case target == "":
			return rewrites{}, invalidEntries(origins, "rewriting %s: the target is empty; name a registry, a namespace or a repository", source)
		case hasScheme(target) || hasScheme(source):
			return rewrites{}, invalidEntries(origins, "rewriting %s to %s: write both without a scheme", source, target)
		}
		n := &rewrite{source, target, r.Origin, r.FromExport}
		switch old := w.bySource[source]; {
		case old == nil:
			w.bySource[source] = n
			w.sorted = append(w.sorted, n)
		case old.exported != n.exported:
			if old.exported {
				*old = *n
			}
		case old.target != target:
			return rewrites{}, invalidEntries([]string{old.origin, r.Origin}, "rewriting %s: to both %s and %s; remove one", source, old.target, target)
		default:
			old.origin = min(old.origin, n.origin)
		}
	}
	slices.SortFunc(w.sorted, func(a, b *rewrite) int { return strings.Compare(a.source, b.source) })
	return w, nil
}

// match finds the longest source that covers text, a canonical reference, and
// the end of what it covers. Sources end at the end of the text, at "/" and "@",
// and at ":" where they have a path, so that no port is taken for a tag: the
// boundaries of HyperShift's support/util/registryoverride.
func (w rewrites) match(text string) (*rewrite, int) {
	if len(w.bySource) == 0 {
		return nil, 0
	}
	path := strings.IndexByte(text, '/')
	for end := len(text); end > 0; end-- {
		if end < len(text) {
			switch text[end] {
			case '/', '@':
			case ':':
				if path < 0 || end < path {
					continue
				}
			default:
				continue
			}
		}
		if r := w.bySource[text[:end]]; r != nil {
			return r, end
		}
	}
	return nil, 0
}

// apply rewrites ref, once. The rule is nil where none matches.
func (w rewrites) apply(ref imageref.Ref) (imageref.Ref, *rewrite, error) {
	text := ref.String()
	r, end := w.match(text)
	if r == nil {
		return ref, nil, nil
	}
	out, err := imageref.ParseCanonical(r.target + text[end:])
	if err != nil {
		return ref, r, &RewriteError{Image: ref, Source: r.source, Location: r.target, Origins: []string{r.origin}, Err: err}
	}
	return out, r, nil
}

// Rewrite returns ref as the Rewrite rules change it. The rule with the longest source
// is applied, once. If the result is no reference, Rewrite returns ref as it is; the
// error of Resolve and Candidates says why.
func (r *Rules) Rewrite(ref imageref.Ref) imageref.Ref {
	out, _, _ := r.orNone().rewrites.apply(ref)
	return out
}

package policy

import (
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// warnDuplicate warns of a further table of registries.conf for one prefix.
func (w *warner) warnDuplicate(d *dropped) {
	origins := append(append([]string{}, d.first...), d.further...)
	terms := ""
	switch {
	case d.blocks:
		terms = "; only that it blocks the source is kept"
	case d.insecure && d.firstInsecure:
		terms = "; the source stays insecure, as the first says"
	case d.insecure:
		terms = "; the source does not become insecure by it"
	}
	w.add(WarnDuplicateTable, origins, "%s has a [[registry]] table at %s already, and the one at %s is dropped with its mirrors%s: make one table of the two",
		d.prefix, strings.Join(d.first, ", "), strings.Join(d.further, ", "), terms)
}

// warnReplaced warns about a table that a drop-in replaces although more than an admin's
// own registries.conf speaks in it.
func (w *warner) warnReplaced(e *table) {
	var lost []string
	if slices.ContainsFunc(e.mirrors, func(m endpoint) bool { return m.api }) || e.exported && len(e.mirrors) > 0 {
		lost = append(lost, "mirrors")
	}
	drop := w.index.exact(e.prefix)
	if e.blocked && !drop.blocked {
		lost = append(lost, "that it is not to be contacted")
	}
	if e.insecure && !drop.insecure {
		lost = append(lost, "that it is insecure")
	}
	if len(lost) > 0 {
		w.add(WarnDropInReplaces, slices.Concat(drop.origins, e.origins), "the drop-in at %s replaces all that is said about %s, as on nodes: what %s say of it is lost (%s); state it there too, or remove that table",
			strings.Join(drop.origins, ", "), e.prefix, strings.Join(e.origins, ", "), strings.Join(lost, ", "))
	}
}

// warnScopes warns about scopes, tables and sources that do not cover what they seem to.
// Where they are meant to forbid something nothing is forbidden, and nodes say nothing.
func (w *warner) warnScopes(s statements) {
	check := func(format, scope, origin string) {
		e := checkScope(scope)
		if e == nil {
			return
		}
		code := WarnOddScope
		if e.Dead {
			code = WarnDeadScope
		}
		w.add(code, []string{origin}, format+" %s", scope, e.effect())
	}
	for format, scopes := range map[string][]Scope{"the insecure scope %q": s.insecure, "the blocked scope %q": s.blocked} {
		for _, scope := range scopes {
			if scope.Name != "" && !scope.FromExport { // nodes do not load an empty one
				check(format, scope.Name, scope.Origin)
			}
		}
	}
	for _, rules := range slices.Concat(s.confTables, s.dropIns) {
		for _, r := range rules {
			if prefix := strings.TrimRight(r.Source, "/"); prefix != "" && !r.FromExport {
				check("the prefix %q of a [[registry]] table", prefix, r.Origin)
			}
		}
	}
	for _, r := range s.mirror {
		if isSource(r.Source) { // else a strict conflict says so
			check("the source %q", r.Source, r.Origin)
		}
	}
	for _, r := range s.rewrite {
		if source := strings.TrimRight(r.Source, "/"); source != "" && !r.FromExport && !isPartOfReference(source) {
			w.add(WarnDeadScope, []string{r.Origin}, "the source %q of a rewrite matches no image, so it has no effect: %v", source, errScopeForm)
		}
	}
}

// isPartOfReference reports whether the canonical form of a reference can begin with s.
func isPartOfReference(s string) bool {
	for _, tail := range []string{"", "/a", ":a"} {
		if ref, err := imageref.Parse(s + tail); err == nil && strings.HasPrefix(ref.String(), s) {
			return true
		}
	}
	return false
}

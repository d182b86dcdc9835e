package policy

import (
	"slices"
	"strings"
)

// load does to c what containers/image does when it reads the
// registries.conf that it stands for (sysregistriesv2,
// postProcessRegistries): it trims, refuses, drops all but the first of tables
// with one prefix, and sorts. Everything that it refuses, nodes do not load.
func (t *conf) load() ([]*table, error) {
	for _, e := range t.tables {
		if err := e.check(); err != nil {
			return nil, err
		}
		e.dropRepeated()
	}
	// What an admin wrote is judged by who reads it, file by file; once nodes have edited
	// it it is a file that nobody has read.
	if t.edited {
		if err := t.checkLocations(); err != nil {
			return nil, err
		}
	}
	out := slices.Clone(t.tables)
	slices.SortStableFunc(out, func(a, b *table) int { return strings.Compare(a.prefix, b.prefix) })
	return slices.CompactFunc(out, func(a, b *table) bool { return a.prefix == b.prefix }), nil
}

// override puts the tables of drop-ins in the place of those with the same prefix. Both
// are sorted. It returns the tables that were replaced, too.
func override(entries, dropIns []*table) (all, replaced []*table) {
	all = slices.Concat(dropIns, entries)
	slices.SortStableFunc(all, func(a, b *table) int { return strings.Compare(a.prefix, b.prefix) })
	n := 0
	for i, e := range all {
		if i > 0 && all[n-1].prefix == e.prefix {
			replaced = append(replaced, e)
			continue
		}
		all[n] = e
		n++
	}
	return all[:n], replaced
}

func (e *table) check() error {
	raw := e.prefix
	e.prefix = strings.TrimRight(e.prefix, "/")
	e.location = strings.TrimRight(e.location, "/")
	for _, s := range []string{e.prefix, e.location} {
		if hasScheme(s) {
			return invalidEntries(e.origins, "source %q: a URL is no source; write it without the scheme", s)
		}
	}
	switch {
	case e.prefix == "" && e.location == "":
		return invalidEntries(e.origins, "the source is empty: %q; name a registry, a namespace or a repository", raw)
	case isWildcard(e.prefix) && strings.ContainsAny(e.prefix, "/@:"):
		return invalidEntries(e.origins, "source %q: a wildcard covers whole hosts; write *.HOST without a port or a path", raw)
	}
	for i := range e.mirrors {
		m := &e.mirrors[i]
		location := strings.TrimRight(m.location, "/")
		switch {
		case hasScheme(location):
			return invalidEntries(m.origins, "mirror %q of %s: a URL is no mirror; write it without the scheme", m.location, e.prefix)
		case location == "":
			return invalidEntries(m.origins, "a mirror of %s is empty: %q; name a registry, a namespace or a repository", e.prefix, m.location)
		case e.digestOnly && m.api:
			return invalidEntries(slices.Concat(e.origins, m.origins), "%s has mirror-by-digest-only in registries.conf, to which nodes refuse to add mirrors of API objects; set pull-from-mirror = \"digest-only\" on each of its mirrors instead", e.prefix)
		}
		m.location = location
	}
	return nil
}

func hasScheme(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// checkLocations refuses two tables that are pulled from one place under
// different terms.
func (t *conf) checkLocations() error {
	first := make(map[string]*table, len(t.tables))
	for _, e := range t.tables {
		at := e.location
		if at == "" {
			at = e.prefix
		}
		f := first[at]
		if f == nil {
			first[at] = e
			continue
		}
		what := ""
		switch {
		case f.insecure != e.insecure:
			what = "insecure"
		case f.blocked != e.blocked:
			what = "blocked"
		default:
			continue
		}
		return invalidEntries(slices.Concat(f.origins, e.origins), "%q and %q are both pulled from %s, and one is %s, the other not; nodes refuse the whole set: make them agree",
			f.prefix, e.prefix, at, what)
	}
	return nil
}

package policy

import (
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// duplicate: a further table of registries.conf for one prefix.
func (w *warner) duplicate(d *dropped) {
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

// oddScopes: scopes and tables that do not cover what they seem to. Where they
// are meant to forbid something, nothing is forbidden, and nodes say nothing.
func (w *warner) oddScopes(s statements) {
	check := func(word string, scopes []Scope) {
		for _, scope := range scopes {
			if why := oddScope(scope.Name); why != "" && !scope.FromExport {
				w.add(WarnOddScope, []string{scope.Origin}, "the %s scope %q %s", word, scope.Name, why)
			}
		}
	}
	check("insecure", s.insecure)
	check("blocked", s.blocked)
	for _, rules := range s.literal {
		for _, r := range rules {
			if why := oddScope(strings.TrimRight(r.Source, "/")); why != "" && !r.FromExport {
				w.add(WarnOddScope, []string{r.Origin}, "the prefix %q of a [[registry]] table %s", r.Source, why)
			}
		}
	}
}

// oddScope says what is odd about a scope, "" for nothing. A scope covers the
// names of references in full form, without tag and digest, that equal it or lie
// below it.
func oddScope(s string) string {
	const never = "matches no image, so it has no effect: "
	host, _, _ := strings.Cut(s, "/")
	switch {
	case s == "":
		return "" // nodes do not load it
	case strings.ContainsAny(s, ", \t"):
		return never + "state each registry in an entry of its own"
	case isWildcard(s):
		if !imageref.IsHost(s[2:]) {
			return never + "write *.HOST, without a port or a path"
		}
	case strings.Contains(s, "*"):
		return never + "a wildcard is written *.HOST and covers whole hosts"
	case strings.HasSuffix(s, "/"):
		return "covers nothing that is nested in it, no more specific source and no mirror: write it without the slash at its end"
	case strings.Contains(s, "://"):
		return never + "write it without the scheme"
	case !matchable(s):
		return never + "want HOST[:PORT][/PATH] with a dot or a port in the host, the path in lower case, without tag or digest"
	}
	if host != strings.ToLower(host) {
		return "matches only images whose registry is written in these very letters, upper case included: write it as references do, in lower case"
	}
	return ""
}

// matchable reports whether a reference can have the name s, or one below it.
func matchable(s string) bool {
	for _, name := range []string{s, s + "/a"} {
		ref, err := imageref.Parse(name)
		if err == nil && (ref.Name() == s || strings.HasPrefix(ref.Name(), s+"/")) {
			return true
		}
	}
	return false
}

package policy

import "strings"

// A scope is what an entry of registries.conf covers: a registry, a namespace, a
// repository, or "*.host" for every host below.

func isWildcard(scope string) bool { return strings.HasPrefix(scope, "*.") }

// scopeMap finds the scopes that another one is nested in, without comparing it
// with each.
type scopeMap[T any] struct {
	all  map[string]T
	wild bool // whether any scope is a wildcard
}

func newScopeMap[T any]() scopeMap[T] { return scopeMap[T]{all: map[string]T{}} }

func (m *scopeMap[T]) set(scope string, v T) {
	m.all[scope] = v
	m.wild = m.wild || isWildcard(scope)
}

// enclosing calls yield for every scope in m that sub is nested in, sub itself
// included, longest plain scopes first, until yield returns false. "Nested" is
// ScopeIsNestedInsideScope of openshift/runtime-utils: the port is part of the
// host, and a wildcard covers hosts only, whatever their port.
func (m scopeMap[T]) enclosing(sub string, yield func(scope string, v T) bool) {
	if len(m.all) == 0 {
		return
	}
	for end := len(sub); end >= 0; end = strings.LastIndexByte(sub[:end], '/') {
		if v, ok := m.all[sub[:end]]; ok && !yield(sub[:end], v) {
			return
		}
	}
	if !m.wild {
		return
	}
	host, _, port := strings.Cut(sub, ":")
	if !port {
		host, _, _ = strings.Cut(sub, "/")
	} else if strings.Contains(host, "/") {
		return
	}
	for i := range len(host) {
		if host[i] != '.' {
			continue
		}
		scope := "*" + host[i:]
		if v, ok := m.all[scope]; ok && scope != sub && !yield(scope, v) {
			return
		}
	}
}

// valuesAround returns the values of enclosing, nil for none.
func (m scopeMap[T]) valuesAround(sub string) []T {
	var out []T
	m.enclosing(sub, func(_ string, v T) bool {
		out = append(out, v)
		return true
	})
	return out
}

// scopeSet makes a scopeMap of scopes; the first of equal names counts.
func scopeSet(scopes []Scope) scopeMap[Scope] {
	m := newScopeMap[Scope]()
	for _, s := range scopes {
		if _, ok := m.all[s.Name]; !ok {
			m.set(s.Name, s)
		}
	}
	return m
}

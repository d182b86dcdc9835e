package diff

import (
	"fmt"
	"slices"
	"strings"
)

// Action is what the nodes of a cluster do about a change.
type Action int

// Actions, from the least to the most that a workload notices.
const (
	Nothing Action = iota // the files stay as they are
	Reload                // CRI-O reads its configuration again; pods go on
	Drain                 // each node is drained, then CRI-O reads its configuration again
	Reboot                // each node is drained and rebooted
)

// String returns "nothing", "reload", "drain" or "reboot".
func (a Action) String() string { return [...]string{"nothing", "reload", "drain", "reboot"}[a] }

// MarshalText returns String.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Disruption returns what nodes do when their registries.conf changes from old to updated,
// and why. The reason is "" for Nothing; for Drain it is the first change that is not safe.
//
// It is the rule of the machine-config daemon (machine-config-operator, package daemon,
// isSafeContainerRegistryConfChanges). Where several changes are not safe, the daemon names
// one by chance, and this function the first by scope.
func Disruption(old, updated Conf) (Action, string) {
	if old.equal(updated) {
		return Nothing, ""
	}
	if reason := unsafe(old, updated); reason != "" {
		return Drain, reason
	}
	return Reload, "all changes of registries.conf are safe without a drain"
}

// unsafe returns the first change for which nodes are drained, "" if there is none.
func unsafe(old, updated Conf) string {
	if n := len(old.Search); n > len(updated.Search) || !slices.Equal(old.Search, updated.Search[:n]) {
		return "unqualified-search-registries has changed other than by new ones at its end"
	}
	was, is := byScope(old), byScope(updated)
	for _, scope := range scopes(was) {
		if _, ok := is[scope]; !ok {
			return fmt.Sprintf("registry %s has been removed", scope)
		}
	}
	for _, scope := range scopes(is) {
		n := is[scope]
		o, ok := was[scope]
		if !ok {
			if reason := unsafeNew(scope, n); reason != "" {
				return reason
			}
			continue
		}
		if reason := unsafeChange(scope, o, n); !o.equal(n) && reason != "" {
			return reason
		}
	}
	return ""
}

// byScope returns the tables by what they are known by. The last of several counts.
func byScope(c Conf) map[string]Registry {
	m := make(map[string]Registry, len(c.Registries))
	for _, r := range c.Registries {
		m[r.scope()] = r
	}
	return m
}

func scopes(m map[string]Registry) []string {
	all := make([]string, 0, len(m))
	for scope := range m {
		all = append(all, scope)
	}
	slices.Sort(all)
	return all
}

// unsafeNew returns why a new table is not safe.
func unsafeNew(scope string, r Registry) string {
	if len(r.Mirrors) == 0 && !r.MirrorByDigestOnly {
		return fmt.Sprintf("registry %s has been added without a mirror for digests (%s)", scope, terms(r))
	}
	for _, m := range r.Mirrors {
		if m.PullFromMirror != digestOnly {
			return fmt.Sprintf("registry %s has been added with the mirror %s, which is not for digests only", scope, m.Location)
		}
	}
	return ""
}

// terms says what a table without mirrors is for.
func terms(r Registry) string {
	var words []string
	if r.Blocked {
		words = append(words, "blocked")
	}
	if r.Insecure {
		words = append(words, "insecure")
	}
	if len(words) == 0 {
		return "it says nothing"
	}
	return "it is " + strings.Join(words, " and ")
}

// unsafeChange returns why a table that has changed is not safe.
func unsafeChange(scope string, o, n Registry) string {
	switch {
	case o.Prefix != n.Prefix:
		return fmt.Sprintf("the prefix of registry %s has changed from %q to %q", scope, o.Prefix, n.Prefix)
	case o.Location != n.Location:
		return fmt.Sprintf("the location of registry %s has changed from %q to %q", scope, o.Location, n.Location)
	case o.Blocked != n.Blocked:
		return fmt.Sprintf("blocked of registry %s has changed from %t to %t", scope, o.Blocked, n.Blocked)
	case o.Insecure != n.Insecure:
		return fmt.Sprintf("insecure of registry %s has changed from %t to %t", scope, o.Insecure, n.Insecure)
	}
	for _, m := range o.Mirrors {
		if mirror(n, m.Location) == nil {
			return fmt.Sprintf("mirror %s of registry %s has been removed", m.Location, scope)
		}
	}
	for _, m := range n.Mirrors {
		before := mirror(o, m.Location)
		switch {
		case m.PullFromMirror == digestOnly:
		case before == nil && !n.MirrorByDigestOnly:
			return fmt.Sprintf("mirror %s of registry %s has been added and is not for digests only", m.Location, scope)
		case before != nil && before.PullFromMirror != m.PullFromMirror:
			return fmt.Sprintf("mirror %s of registry %s was for %s and is for %s", m.Location, scope, serves(before.PullFromMirror), serves(m.PullFromMirror))
		}
	}
	return ""
}

func mirror(r Registry, location string) *Mirror {
	i := slices.IndexFunc(r.Mirrors, func(m Mirror) bool { return m.Location == location })
	if i < 0 {
		return nil
	}
	return &r.Mirrors[i]
}

func serves(pullFromMirror string) string {
	switch pullFromMirror {
	case digestOnly:
		return "digests only"
	case tagOnly:
		return "tags only"
	}
	return "all pulls"
}

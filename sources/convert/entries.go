package convert

import (
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// entry is one source with its mirrors for one kind of pull, or for both.
type entry struct {
	object  *policy.Object // nil for one that no object states
	origin  string
	source  string
	mirrors []string
	pull    policy.PullBy
	never   bool
}

// statement is what policies say in the terms of the API.
type statement struct {
	entries           []entry
	insecure, blocked []string
}

// state returns what the policies say. Where tables of a registries.conf are among them it
// is what is merged, because nodes edit those tables; else each entry is as stated.
func (w *writer) state() statement {
	var s statement
	for _, scope := range w.rules.Insecure() {
		s.insecure = append(s.insecure, scope.Name)
	}
	for _, scope := range w.rules.Blocked() {
		s.blocked = append(s.blocked, scope.Name)
	}
	tables := false
	for _, p := range w.policies {
		for _, r := range p.Rules {
			tables = tables || r.ConfTable
			if r.Kind == policy.KindMirror && !r.ConfTable {
				s.entries = append(s.entries, entry{r.Object, r.Origin, r.Source, distinct(r.Mirrors), r.Pull, r.NeverContactSource})
			}
		}
	}
	if !tables {
		return s
	}
	s.entries = nil
	for _, t := range w.tables() {
		w.stateTable(&s, t)
	}
	return s
}

// distinct returns the locations of mirrors, each once: in the API they are a set.
func distinct(mirrors []policy.Mirror) []string {
	var out []string
	for _, m := range mirrors {
		if !slices.Contains(out, m.Location) {
			out = append(out, m.Location)
		}
	}
	return out
}

// table is a merged table of registries.conf.
type table struct {
	policy.Rule
	digests, tags []policy.Mirror
}

// tables returns the merged tables, sorted by source, without those that scopes or
// inheriting alone have made.
func (w *writer) tables() []table {
	var out []table
	for _, r := range w.rules.Policy().Rules {
		if r.Kind != policy.KindMirror || r.Provenance.ScopeOnly || r.Provenance.Inherited != "" {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Source != r.Source {
			out = append(out, table{Rule: r})
		}
		t := &out[len(out)-1]
		if r.Pull != policy.PullTag {
			t.digests = append(t.digests, r.Mirrors...)
		}
		if r.Pull != policy.PullDigest {
			t.tags = append(t.tags, r.Mirrors...)
		}
	}
	return out
}

// stateTable says in the terms of the API what a table says.
func (w *writer) stateTable(s *statement, t table) {
	never := t.NeverContactSource
	digests, tags := distinct(t.digests), distinct(t.tags)
	if t.Location != "" && t.Location != t.Source {
		w.lose(t.Origin, "that %s itself is pulled from %s: it is stated as the last mirror, and %s as not to be contacted", t.Source, t.Location, t.Source)
		digests, tags, never = append(digests, t.Location), append(tags, t.Location), true
	}
	if never && len(digests)+len(tags) == 0 {
		s.block(t.Source)
	}
	if t.Insecure {
		s.trust(t.Source)
	}
	for _, m := range slices.Concat(t.digests, t.tags) {
		if m.Insecure {
			s.trust(m.Location)
		}
	}
	if slices.Equal(digests, tags) {
		if len(digests) > 0 {
			s.entries = append(s.entries, entry{nil, t.Origin, t.Source, digests, policy.PullAny, never})
		}
		return
	}
	if len(digests) > 0 {
		s.entries = append(s.entries, entry{nil, t.Origin, t.Source, digests, policy.PullDigest, never})
	}
	if len(tags) > 0 {
		s.entries = append(s.entries, entry{nil, t.Origin, t.Source, tags, policy.PullTag, never})
	}
}

// block and trust add a scope that none of the scopes covers yet.
func (s *statement) block(scope string) { s.blocked = withScope(s.blocked, scope) }

func (s *statement) trust(scope string) { s.insecure = withScope(s.insecure, scope) }

func withScope(scopes []string, scope string) []string {
	if slices.ContainsFunc(scopes, func(s string) bool { return covers(s, scope) }) {
		return scopes
	}
	return append(scopes, scope)
}

// covers reports whether a location is a scope or lies in it.
func covers(scope, location string) bool {
	if domain, wild := strings.CutPrefix(scope, "*"); wild {
		host, _, _ := strings.Cut(location, "/")
		host, _, _ = strings.Cut(host, ":")
		return strings.HasSuffix(host, domain)
	}
	return location == scope || strings.HasPrefix(location, scope+"/")
}

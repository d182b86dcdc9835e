package policy

import "slices"

// table is one [[registry]] table of the registries.conf that a node would have.
type table struct {
	prefix     string
	location   string // "" for a wildcard: where the reference says
	insecure   bool
	blocked    bool
	blockedBy  Scope // why, where blocked
	digestOnly bool  // mirror-by-digest-only
	rule       bool  // a rule names it; else it exists for a scope
	dropIn     bool  // it came last, and replaced what was there
	exported   bool  // it was merged before, and scopes of then are in it
	mirrors    []endpoint
	inherits   string // whose mirrors these are, "" for its own
	origins    []string
}

// endpoint is a mirror as merged.
type endpoint struct {
	location string
	insecure bool
	pull     PullBy
	byTenant bool // see [Mirror].ByTenant
	api      bool // from the API, where nodes write down whom it serves
	origins  []string
}

// conf is a registries.conf while it is edited.
type conf struct {
	tables   []*table
	byPrefix map[string]*table
	edited   bool // by API objects or scopes; otherwise it is as admins wrote it
	dropped  []dropped
}

func (t *conf) table(scope string) *table {
	e := t.byPrefix[scope]
	if e == nil {
		e = &table{prefix: scope}
		if !isWildcard(scope) {
			e.location = scope
		}
		t.put(e)
	}
	return e
}

func (t *conf) put(e *table) {
	t.tables = append(t.tables, e)
	t.byPrefix[e.prefix] = e
}

func (e *table) block(by Scope) {
	if !e.blocked {
		e.blocked, e.blockedBy = true, by
	}
}

// isMoved reports whether the primary location is another place.
func (e *table) isMoved() bool {
	return e.location != "" && (e.location != e.prefix || isWildcard(e.prefix))
}

// hasMirrors reports whether there are mirrors for such pulls.
func (e *table) hasMirrors(by PullBy) bool {
	return slices.ContainsFunc(e.mirrors, func(m endpoint) bool { return m.pull == PullAny || m.pull == by })
}

package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// compare is the order of all sorting here: bytes, as sort.Strings.
func compare(a, b string) int { return cmp.Compare(a, b) }

// entry is one [[registry]] table of the registries.conf that a node would have.
type entry struct {
	prefix     string
	location   string // "" for a wildcard: where the reference says
	insecure   bool
	blocked    bool
	blockedBy  Scope // why, where blocked
	digestOnly bool  // mirror-by-digest-only
	rule       bool  // a rule names it; else it exists for a scope
	dropIn     bool  // it came last, and replaced what was there
	merged     bool  // it was merged before, and scopes of then are in it
	mirrors    []endpoint
	inherits   string // whose mirrors these are, "" for its own
	origins    []string
}

// table is registries.conf while it is edited, as EditRegistriesConfig of
// openshift/runtime-utils edits it.
type table struct {
	entries  []*entry
	byPrefix map[string]*entry
	edited   bool // by API objects or scopes; otherwise it is as admins wrote it
	dropped  []dropped
}

func (t *table) entry(scope string) *entry {
	e := t.byPrefix[scope]
	if e == nil {
		e = &entry{prefix: scope}
		if !isWildcard(scope) {
			e.location = scope
		}
		t.put(e)
	}
	return e
}

func (t *table) put(e *entry) {
	t.entries = append(t.entries, e)
	t.byPrefix[e.prefix] = e
}

// statements are policies sorted by what is done with them.
type statements struct {
	literal, dropIns  [][]*Rule // by policy
	mirror, rewrite   []*Rule
	insecure, blocked []Scope // sorted
}

func sortOut(policies []Policy) statements {
	var s statements
	for _, p := range policies {
		var literal, dropIns []*Rule
		for i := range p.Rules {
			switch r := &p.Rules[i]; {
			case r.Kind == KindRewrite:
				s.rewrite = append(s.rewrite, r)
			case r.ConfTable && r.DropIn:
				dropIns = append(dropIns, r)
			case r.ConfTable:
				literal = append(literal, r)
			default:
				s.mirror = append(s.mirror, r)
			}
		}
		s.literal = append(s.literal, literal)
		s.dropIns = append(s.dropIns, dropIns)
		s.insecure = append(s.insecure, p.Insecure...)
		s.blocked = append(s.blocked, p.Blocked...)
	}
	slices.SortStableFunc(s.insecure, compareScopes)
	slices.SortStableFunc(s.blocked, compareScopes)
	return s
}

// compareScopes sorts so that of equal names one counts whatever the order of the
// objects.
func compareScopes(a, b Scope) int {
	return cmp.Or(compare(a.Name, b.Name), compare(a.Origin, b.Origin))
}

// merge is steps 1 to 6 of semantics.md 2.3 on top of the literal tables.
func merge(cfg RulesConfig, s statements) (*table, []*group, error) {
	t := newTable(cfg, s.literal, len(s.mirror))

	digest, tag := groups{}, groups{}
	for _, r := range s.mirror {
		if r.Pull != PullTag {
			digest.add(r)
		}
		if r.Pull != PullDigest || cfg.TagsFollowDigestRules {
			tag.add(r)
		}
	}
	sets := digest.merged(PullDigest)
	sets = append(sets, tag.merged(PullTag)...)
	for _, g := range sets {
		e := t.entry(g.source)
		e.rule = true
		for _, o := range g.origins() {
			if !slices.Contains(e.origins, o) {
				e.origins = append(e.origins, o)
			}
		}
		e.mirrors = append(e.mirrors, g.mirrors...)
		if g.never != nil {
			e.block(Scope{Name: g.source, Origin: g.never.Origin})
		}
	}
	t.propagate(s.insecure, s.blocked)
	t.edited = len(s.mirror)+len(s.insecure)+len(s.blocked) > 0
	return t, sets, t.inherit(sets)
}

func (e *entry) block(by Scope) {
	if !e.blocked {
		e.blocked, e.blockedBy = true, by
	}
}

// propagate makes entries of all scopes, and marks what is nested in them:
// insecure entries and mirrors, blocked entries. Entries that were merged before
// have what the insecure scopes of then made of them, which is not what these
// would make of them now, since mirrors have been handed down in between.
func (t *table) propagate(insecure, blocked []Scope) {
	for _, s := range slices.Concat(blocked, insecure) {
		if s.FromExport {
			continue // its table is there
		}
		e := t.entry(s.Name)
		if s.Origin != "" && !e.rule && !slices.Contains(e.origins, s.Origin) {
			e.origins = append(e.origins, s.Origin)
		}
	}
	all, forbidden := scopeSet(insecure), scopeSet(blocked)
	news := all
	if slices.ContainsFunc(insecure, func(s Scope) bool { return s.FromExport }) {
		news = scopeSet(slices.DeleteFunc(slices.Clone(insecure), func(s Scope) bool { return s.FromExport }))
	}
	for _, e := range t.entries {
		unsafe := all
		if e.merged {
			unsafe = news
		}
		unsafe.enclosing(e.prefix, func(string, Scope) bool {
			e.insecure = true
			return false
		})
		for i := range e.mirrors {
			unsafe.enclosing(e.mirrors[i].location, func(string, Scope) bool {
				e.mirrors[i].insecure = true
				return false
			})
		}
		forbidden.enclosing(e.prefix, func(_ string, s Scope) bool {
			e.block(s)
			return false
		})
	}
}

// inherit gives an entry without mirrors those of an enclosing source, moved
// down to it: of several sources the one that sorts first, digest before tag.
// From a wildcard nothing can be moved, and nodes refuse the whole set.
func (t *table) inherit(sets []*group) error {
	rank := newScopeMap[int]()
	for i, g := range sets {
		if _, ok := rank.all[g.source]; !ok {
			rank.set(g.source, i)
		}
	}
	for _, e := range t.entries {
		if len(e.mirrors) > 0 {
			continue
		}
		first := len(sets)
		rank.enclosing(e.prefix, func(scope string, i int) bool {
			if scope != e.prefix {
				first = min(first, i)
			}
			return true
		})
		if first == len(sets) {
			continue
		}
		g := sets[first]
		if isWildcard(g.source) {
			return invalid(g.origins(), "mirrors of the wildcard %s cannot be passed on to %s (%s), which is nested in it; nodes refuse the whole set: name the mirrors for %s in an entry of its own, or remove one of the two",
				g.source, e.prefix, strings.Join(e.origins, ", "), e.prefix)
		}
		parent := t.byPrefix[g.source]
		e.inherits = g.source
		e.mirrors = make([]endpoint, len(parent.mirrors))
		for i, m := range parent.mirrors {
			m.location += e.prefix[len(g.source):]
			e.mirrors[i] = m
		}
	}
	return nil
}

// invalid is an InvalidPolicyError about entries.
func invalid(origins []string, format string, args ...any) *InvalidPolicyError {
	return &InvalidPolicyError{Origin: strings.Join(origins, ", "), Err: fmt.Errorf(format, args...)}
}

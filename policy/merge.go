package policy

import (
	"cmp"
	"slices"
	"strings"
)

// statements are policies sorted by what is done with them.
type statements struct {
	confTables, dropIns [][]*Rule // by policy
	mirror, rewrite     []*Rule
	insecure, blocked   []Scope // sorted
	clusters            []Cluster
	unblocked           []unblocked // what dropPayloadScopes took out of blocked
}

func sortRules(policies []Policy) statements {
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
		s.confTables = append(s.confTables, literal)
		s.dropIns = append(s.dropIns, dropIns)
		s.insecure = appendScopes(s.insecure, p.Insecure)
		s.blocked = appendScopes(s.blocked, p.Blocked)
		s.clusters = append(s.clusters, p.Clusters...)
	}
	slices.SortStableFunc(s.insecure, compareScopes)
	slices.SortStableFunc(s.blocked, compareScopes)
	slices.SortFunc(s.clusters, func(a, b Cluster) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Origin, b.Origin))
	})
	return s
}

// appendScopes appends scopes without the objects that state them.
func appendScopes(to, scopes []Scope) []Scope {
	for _, s := range scopes {
		s.Object = nil
		to = append(to, s)
	}
	return to
}

// compareScopes sorts so that of equal names one counts whatever the order of the
// objects.
func compareScopes(a, b Scope) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Origin, b.Origin))
}

// mergeObjects edits the tables of registries.conf as EditRegistriesConfig of
// openshift/runtime-utils does: it adds the mirrors of API objects, then what scopes make
// insecure and blocked, then what nested tables inherit.
func mergeObjects(cfg RulesConfig, s statements) (*conf, []*group, error) {
	t := newConf(cfg, s.confTables, len(s.mirror))

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
		e := t.table(g.source)
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

// propagate makes tables of all scopes, and marks what is nested in them: insecure
// tables and mirrors, blocked tables. Tables that were merged before
// have what the insecure scopes of then made of them, which is not what these
// would make of them now, since mirrors have been handed down in between.
func (t *conf) propagate(insecure, blocked []Scope) {
	for _, s := range slices.Concat(blocked, insecure) {
		if s.FromExport {
			continue // its table is there
		}
		e := t.table(s.Name)
		if s.Origin != "" && !e.rule && !slices.Contains(e.origins, s.Origin) {
			e.origins = append(e.origins, s.Origin)
		}
	}
	all, forbidden := scopeSet(insecure), scopeSet(blocked)
	news := all
	if slices.ContainsFunc(insecure, func(s Scope) bool { return s.FromExport }) {
		news = scopeSet(slices.DeleteFunc(slices.Clone(insecure), func(s Scope) bool { return s.FromExport }))
	}
	for _, e := range t.tables {
		unsafe := all
		if e.exported {
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

// inherit gives a table without mirrors those of an enclosing source, moved
// down to it: of several sources the one that sorts first, digest before tag.
// From a wildcard nothing can be moved, and nodes refuse the whole set.
func (t *conf) inherit(sets []*group) error {
	rank := newScopeMap[int]()
	for i, g := range sets {
		if _, ok := rank.all[g.source]; !ok {
			rank.set(g.source, i)
		}
	}
	for _, e := range t.tables {
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
			return invalidEntries(g.origins(), "mirrors of the wildcard %s cannot be passed on to %s (%s), which is nested in it; nodes refuse the whole set: name the mirrors for %s in an entry of its own, or remove one of the two",
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

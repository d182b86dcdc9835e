package policy

import (
	"slices"
	"strings"
)

// dropped is a table of registries.conf that came after one of the same prefix.
type dropped struct {
	prefix         string
	first, further []string // origins
	blocks         bool     // only further forbids the source
	insecure       bool     // the two disagree
	firstInsecure  bool
}

// newConf makes a registries.conf of the tables of all policies, with room for n more.
func newConf(cfg RulesConfig, literal [][]*Rule, n int) *conf {
	t := &conf{byPrefix: make(map[string]*table, n)}
	for _, rules := range literal {
		t.addTables(cfg, rules)
	}
	return t
}

// addTables makes the tables of registries.conf. Consecutive rules of one
// source and one origin that serve different pulls are one table; of further
// tables with the same prefix the first counts.
func (t *conf) addTables(cfg RulesConfig, rules []*Rule) {
	var current *table
	for i, r := range rules {
		if i == 0 || !isSameTable(rules[i-1], r) {
			current = newConfTable(strings.TrimRight(r.Source, "/"), r)
		}
		pull := r.Pull
		if pull == PullDigest && cfg.TagsFollowDigestRules && !r.FromExport {
			pull = PullAny
		}
		for i, m := range r.Mirrors {
			current.mirrors = append(current.mirrors, endpoint{
				location: strings.TrimRight(m.Location, "/"), insecure: m.Insecure, byTenant: m.ByTenant, pull: pull, origins: r.mirrorOrigins(i, current.origins),
			})
		}
		if i < len(rules)-1 && isSameTable(r, rules[i+1]) {
			continue
		}
		if cfg.TagsFollowDigestRules && r.FromExport {
			current.followDigests()
		}
		if first := t.byPrefix[current.prefix]; first != nil {
			t.drop(first, current)
		} else {
			t.put(current)
		}
	}
}

// drop leaves out a further table of first's prefix. That it forbids the source
// holds all the same: no table may open what another one closes, whatever the
// order in which sources are named. That it calls the source insecure does not
// hold, for the same reason.
func (t *conf) drop(first, further *table) {
	if first.equals(further) {
		return
	}
	t.dropped = append(t.dropped, dropped{
		prefix: first.prefix, first: first.origins, further: further.origins,
		blocks: further.blocked && !first.blocked, insecure: further.insecure != first.insecure, firstInsecure: first.insecure,
	})
	if further.blocked {
		first.block(further.blockedBy)
	}
}

// equals reports whether two tables of one prefix say the same.
func (e *table) equals(o *table) bool {
	return e.location == o.location && e.insecure == o.insecure && e.blocked == o.blocked && e.digestOnly == o.digestOnly &&
		slices.EqualFunc(e.mirrors, o.mirrors, func(a, b endpoint) bool {
			return a.location == b.location && a.insecure == b.insecure && a.byTenant == b.byTenant && a.pull == b.pull
		})
}

// isSameTable reports whether two rules in a row are one table.
func isSameTable(last, r *Rule) bool {
	return last.Source == r.Source && last.Origin == r.Origin && last.Pull != r.Pull
}

func newConfTable(prefix string, r *Rule) *table {
	e := &table{
		prefix: prefix, location: strings.TrimRight(r.Location, "/"),
		insecure: r.Insecure, digestOnly: r.DigestOnly, origins: r.origins(),
		rule: !r.FromExport || !r.Provenance.ScopeOnly, dropIn: r.DropIn, exported: r.FromExport, inherits: r.Provenance.Inherited,
	}
	if e.location == "" && !isWildcard(prefix) {
		e.location = prefix
	}
	if r.NeverContactSource {
		by := Scope{Name: prefix, Origin: r.Origin}
		if r.FromExport && r.Provenance.BlockedBy.Name != "" {
			by = r.Provenance.BlockedBy
		}
		e.block(by)
	}
	return e
}

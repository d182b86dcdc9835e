package policy

import (
	"slices"
	"strings"
)

// Provenance names the entries that a rule of [Rules.Policy] was merged from. Explanations,
// warnings and errors use it. It does not change what the rule means.
type Provenance struct {
	// Origins are the entries, if there are several; [Rule.Origin] joins them.
	Origins []string
	// Mirrors are, for each mirror of the rule, the entries that name it. Nil: all
	// entries of the rule name all of its mirrors.
	Mirrors [][]string
	// BlockedBy is the scope that NeverContactSource comes from. Zero: the rule itself
	// states it.
	BlockedBy Scope
	// ScopeOnly: no rule names the source. It is only an insecure or blocked scope, and
	// therefore not among [Rules.Merged].
	ScopeOnly bool
	// Inherited is the source that the mirrors were inherited from; "" if the rule has its
	// own.
	Inherited string
}

// Policy returns the merged rules in the form of a policy, so that they can be passed to
// another process. NewRules makes the same rules of this policy alone: the same
// candidates, refusals, errors and origins for every reference, and the same
// [Rules.Merged], Insecure, Blocked and [Rules.Version].
//
// Mirror rules come as ConfTables, one rule for each run of mirrors that serve the same
// pulls, sorted by source. Rewrite rules follow, then the scopes. All are marked
// FromExport. Warnings about single entries are left out: the process that merged the
// entries has them.
//
// The policy may be merged with others. Then its tables are treated like a
// registries.conf that API objects edit:
//
//   - Mirrors of other entries for the same source come after those of the table.
//   - Other scopes reach into the tables.
//   - Of several tables with one source the first counts, as [NewRules] says.
//   - Its blocked scopes reach into everything, its insecure scopes into everything that is
//     not FromExport.
//   - A Rewrite rule of another policy goes before an exported one with the same source.
//   - [RulesConfig.TagsFollowDigestRules] adds to the mirrors for tags of an exported table
//     those mirrors for digests that are not among them. If it was in force when the table
//     was merged, there are none to add.
//
// The result is the caller's.
func (r *Rules) Policy() Policy {
	r = r.orNone()
	var p Policy
	for _, e := range r.tables {
		p.Rules = append(p.Rules, e.rules()...)
	}
	for _, w := range r.rewrites.sorted {
		p.Rules = append(p.Rules, Rule{
			Kind: KindRewrite, Source: w.source, Mirrors: []Mirror{{Location: w.target}}, Pull: PullAny, Origin: w.origin, FromExport: true,
		})
	}
	p.Insecure, p.Blocked = r.Insecure(), r.Blocked()
	for _, scopes := range [][]Scope{p.Insecure, p.Blocked} {
		for i := range scopes {
			scopes[i].FromExport = true
		}
	}
	return p
}

// rules returns the ConfTable rules that e is read from again.
func (e *table) rules() []Rule {
	base := Rule{
		Source: e.prefix, Pull: PullAny, NeverContactSource: e.blocked, ConfTable: true, DropIn: e.dropIn,
		DigestOnly: e.digestOnly, Insecure: e.insecure, Origin: strings.Join(e.origins, ", "), FromExport: true,
	}
	if e.location != e.prefix || isWildcard(e.prefix) {
		base.Location = e.location
	}
	base.Provenance.ScopeOnly, base.Provenance.Inherited = !e.rule, e.inherits
	if e.blocked && (e.blockedBy.Name != e.prefix || e.blockedBy.Origin != base.Origin) {
		base.Provenance.BlockedBy = Scope{Name: e.blockedBy.Name, Origin: e.blockedBy.Origin}
	}
	runs := e.mirrorRuns()
	if len(runs) == 0 {
		runs = [][]endpoint{nil}
	}
	out := make([]Rule, len(runs))
	for i, run := range runs {
		r := base
		if len(e.origins) > 1 {
			r.Provenance.Origins = slices.Clone(e.origins)
		}
		own := false
		for _, m := range run {
			r.Pull = m.pull
			r.Mirrors = append(r.Mirrors, Mirror{Location: m.location, Insecure: m.insecure, ByTenant: m.byTenant})
			own = own || !slices.Equal(m.origins, e.origins)
		}
		for _, m := range run {
			if own {
				r.Provenance.Mirrors = append(r.Provenance.Mirrors, slices.Clone(m.origins))
			}
		}
		out[i] = r
	}
	return out
}

// mirrorRuns returns the mirrors of e, cut where another kind of pull is served. Mirrors that
// stand once for digests and in the same way again for tags become one run.
func (e *table) mirrorRuns() [][]endpoint {
	list := func(other PullBy) []endpoint {
		return slices.DeleteFunc(slices.Clone(e.mirrors), func(m endpoint) bool { return m.pull == other })
	}
	digest, tag := list(PullTag), list(PullDigest)
	if slices.EqualFunc(digest, tag, func(a, b endpoint) bool {
		return a.location == b.location && a.insecure == b.insecure && a.byTenant == b.byTenant && slices.Equal(a.origins, b.origins)
	}) {
		for i := range digest {
			digest[i].pull = PullAny
		}
		if len(digest) == 0 {
			return nil
		}
		return [][]endpoint{digest}
	}
	var out [][]endpoint
	for i, m := range e.mirrors {
		if i == 0 || m.pull != e.mirrors[i-1].pull {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], m)
	}
	return out
}

// origins returns the entries behind r.
func (r *Rule) origins() []string {
	switch {
	case r.FromExport && len(r.Provenance.Origins) > 0:
		return slices.Clone(r.Provenance.Origins)
	case r.Origin != "":
		return []string{r.Origin}
	}
	return nil
}

// mirrorOrigins returns the entries that named mirror i.
func (r *Rule) mirrorOrigins(i int, table []string) []string {
	if !r.FromExport || i >= len(r.Provenance.Mirrors) {
		return table
	}
	return slices.Clone(r.Provenance.Mirrors[i])
}

// followDigests makes the mirrors for digests serve tags too, except those that do already.
func (e *table) followDigests() {
	tags := make(map[string]bool, len(e.mirrors))
	for _, m := range e.mirrors {
		tags[m.location] = tags[m.location] || m.pull != PullDigest
	}
	if !slices.ContainsFunc(e.mirrors, func(m endpoint) bool { return !tags[m.location] && m.location != e.prefix }) {
		return
	}
	for i := range e.mirrors {
		if m := &e.mirrors[i]; !tags[m.location] {
			m.pull = PullAny
		}
	}
}

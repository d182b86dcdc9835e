package policy

import (
	"slices"
	"strings"
)

// groups are the rules of one group, digest or tag, by source.
type groups map[string]*group

// group is what all rules of one source say.
type group struct {
	source      string
	rules       []*Rule
	never       *Rule // one that says NeverContactSource
	mirrors     []endpoint
	conflicting bool // the orders contradict each other
}

// add puts a rule into its group. An entry without a real mirror is dropped
// together with its policy, as nodes drop it.
func (g groups) add(r *Rule) {
	if !hasMirror(r) {
		return
	}
	s := g[r.Source]
	if s == nil {
		s = &group{source: r.Source}
		g[r.Source] = s
	}
	s.rules = append(s.rules, r)
	if r.NeverContactSource && (s.never == nil || r.Origin < s.never.Origin) {
		s.never = r
	}
}

func hasMirror(r *Rule) bool {
	return slices.ContainsFunc(r.Mirrors, func(m Mirror) bool { return m.Location != r.Source })
}

// merged orders the mirrors of every group and returns the groups by source.
func (g groups) merged(pull PullBy) []*group {
	out := make([]*group, 0, len(g))
	for _, s := range g {
		s.order(pull)
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *group) int { return strings.Compare(a.source, b.source) })
	return out
}

func (s *group) order(pull PullBy) {
	if len(s.rules) == 1 && s.orderOne(pull) {
		return
	}
	lists := make([][]string, len(s.rules))
	named := make(map[string]*endpoint)
	for i, r := range s.rules {
		lists[i] = make([]string, len(r.Mirrors))
		for j, m := range r.Mirrors {
			lists[i][j] = m.Location
			e := named[m.Location]
			if e == nil {
				e = &endpoint{location: m.Location, byTenant: true, pull: pull, api: true}
				named[m.Location] = e
			}
			e.insecure, e.byTenant = e.insecure || m.Insecure, e.byTenant && m.ByTenant
			if r.Origin != "" && !slices.Contains(e.origins, r.Origin) {
				e.origins = append(e.origins, r.Origin)
			}
		}
	}
	var order []string
	order, s.conflicting = mergeOrders(s.source, lists)
	s.mirrors = make([]endpoint, len(order))
	for i, location := range order {
		if e := named[location]; e != nil {
			slices.Sort(e.origins)
			s.mirrors[i] = *e
		} else { // the source, ahead of its mirrors and named by nobody
			s.mirrors[i] = endpoint{location: location, pull: pull, api: true}
		}
	}
}

// orderOne takes the mirrors of an only rule as they are, where they are simple:
// nearly always.
func (s *group) orderOne(pull PullBy) bool {
	r := s.rules[0]
	for i, m := range r.Mirrors {
		if m.Location == s.source || slices.ContainsFunc(r.Mirrors[:i], func(o Mirror) bool { return o.Location == m.Location }) {
			return false
		}
	}
	origins := s.origins()
	s.mirrors = make([]endpoint, len(r.Mirrors))
	for i, m := range r.Mirrors {
		s.mirrors[i] = endpoint{location: m.Location, insecure: m.Insecure, byTenant: m.ByTenant, pull: pull, api: true, origins: origins}
	}
	return true
}

// origins returns those of all rules of the group.
func (s *group) origins() []string {
	out := make([]string, 0, len(s.rules))
	for _, r := range s.rules {
		if r.Origin != "" {
			out = append(out, r.Origin)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

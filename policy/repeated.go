package policy

import "slices"

// dropRepeated leaves out mirrors that have been named before on the same terms, as
// where an object stands beside the registries.conf that was rendered from it. Nodes
// ask such a mirror twice, which finds nothing new. The first one stays where it is,
// with the origins of both.
func (e *table) dropRepeated() {
	var out []endpoint // nil while nothing is repeated
	for i, m := range e.mirrors {
		before := out
		if before == nil {
			before = e.mirrors[:i]
		}
		if !slices.ContainsFunc(before, m.repeats) {
			if out != nil {
				out = append(out, m)
			}
			continue
		}
		if out == nil {
			out = slices.Clone(before)
		}
		out = appendRest(out, m)
	}
	if out != nil {
		e.mirrors = out
	}
}

// repeats reports whether m and o serve some references alike.
func (m endpoint) repeats(o endpoint) bool {
	return m.location == o.location && m.insecure == o.insecure && (m.pull == o.pull || m.pull == PullAny || o.pull == PullAny)
}

// appendRest gives the origins of m to those of all that it repeats, and appends what is
// left of it. One that serves more than m is split.
func appendRest(all []endpoint, m endpoint) []endpoint {
	remaining := []PullBy{m.pull}
	if m.pull == PullAny {
		remaining = []PullBy{PullDigest, PullTag}
	}
	for i := 0; i < len(all); i++ {
		o := all[i]
		if !o.repeats(m) {
			continue
		}
		both := o
		both.api, both.byTenant = o.api || m.api, o.byTenant && m.byTenant
		both.origins = slices.Clone(o.origins)
		for _, origin := range m.origins {
			if !slices.Contains(both.origins, origin) {
				both.origins = append(both.origins, origin)
			}
		}
		if o.pull == PullAny && m.pull != PullAny {
			both.pull, o.pull = m.pull, PullTag
			if m.pull == PullTag {
				o.pull = PullDigest
			}
			all = slices.Insert(all, i+1, o)
		}
		all[i] = both
		remaining = slices.DeleteFunc(remaining, func(p PullBy) bool { return p == both.pull || both.pull == PullAny })
	}
	if len(remaining) > 0 {
		if len(remaining) == 1 {
			m.pull = remaining[0]
		}
		all = append(all, m)
	}
	return all
}

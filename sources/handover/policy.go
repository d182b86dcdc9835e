package handover

import (
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// policy does the reverse of documentOf.
func (d *document) policy(where string) policy.Policy {
	var p policy.Policy
	unnamed := func(list string, i int) string {
		if where == "" {
			return ""
		}
		return fmt.Sprintf("%s %s[%d]", where, list, i)
	}
	for i, t := range d.Registries {
		p.Rules = append(p.Rules, t.rules(unnamed("registries", i))...)
	}
	for i, w := range d.Rewrites {
		p.Rules = append(p.Rules, policy.Rule{
			Kind: policy.KindRewrite, Source: w.Source, Mirrors: []policy.Mirror{{Location: w.Target}}, Pull: policy.PullAny,
			Origin: or(w.Origin, unnamed("rewrites", i)), FromExport: true,
		})
	}
	for i, s := range d.Insecure {
		p.Insecure = append(p.Insecure, policy.Scope{Name: s.Scope, Origin: or(s.Origin, unnamed("insecure-registries", i)), FromExport: true})
	}
	for i, s := range d.Blocked {
		p.Blocked = append(p.Blocked, policy.Scope{Name: s.Scope, Origin: or(s.Origin, unnamed("blocked-registries", i)), FromExport: true})
	}
	return p
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// rules returns t as Literal rules, one for each run of mirrors that serve the same
// pulls.
func (t registry) rules(unnamed string) []policy.Rule {
	base := policy.Rule{
		Source: t.Prefix, Location: t.Location, Pull: policy.PullAny, NeverContactSource: t.Blocked, ConfTable: true, DropIn: t.DropIn,
		DigestOnly: t.DigestOnly, Insecure: t.Insecure, Origin: or(strings.Join(t.Origins, ", "), unnamed), FromExport: true,
	}
	base.Provenance.ScopeOnly, base.Provenance.Inherited = t.ScopeOnly, t.Inherited
	base.Provenance.BlockedBy = policy.Scope{Name: t.BlockedBy.Scope, Origin: t.BlockedBy.Origin}
	var out []policy.Rule
	for start, end := 0, 0; start < len(t.Mirrors) || out == nil; start = end {
		r := base
		if len(t.Origins) > 1 {
			r.Provenance.Origins = append([]string(nil), t.Origins...)
		}
		own := false
		for end = start; end < len(t.Mirrors) && t.Mirrors[end].pull() == t.Mirrors[start].pull(); end++ {
			m := t.Mirrors[end]
			r.Pull = m.pull()
			r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m.Location, Insecure: m.Insecure, ByTenant: m.ByTenant})
			own = own || m.Origins != nil
		}
		for _, m := range t.Mirrors[start:end] {
			if own {
				origins := m.Origins
				if origins == nil {
					origins = t.Origins
				}
				r.Provenance.Mirrors = append(r.Provenance.Mirrors, append([]string(nil), origins...))
			}
		}
		out = append(out, r)
	}
	return out
}

func (m mirror) pull() policy.PullBy {
	switch m.Pull {
	case pullDigest:
		return policy.PullDigest
	case pullTag:
		return policy.PullTag
	}
	return policy.PullAny
}

package registriesconf

import (
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// AddTo appends c's tables to p as ConfTable rules, then those of its drop-ins, each
// sorted by prefix, in which order containers/image scans them. A table whose mirrors differ in
// pull-from-mirror becomes consecutive rules of one source, in the mirrors'
// order; a table without mirrors is one rule without mirrors.
func (c Conf) AddTo(p *policy.Policy) {
	for _, prefix := range slices.Sorted(maps.Keys(c.tables)) {
		p.Rules = append(p.Rules, c.tables[prefix].rules()...)
	}
	for _, prefix := range slices.Sorted(maps.Keys(c.dropIns)) {
		rules := c.dropIns[prefix].rules()
		for i := range rules {
			rules[i].DropIn = true
		}
		p.Rules = append(p.Rules, rules...)
	}
	for _, name := range c.search {
		p.Search = append(p.Search, policy.Scope{Name: name, Origin: c.where + " " + unqualifiedSearch})
	}
	p.Warnings = append(p.Warnings, c.warnings...)
}

func (t table) rules() []policy.Rule {
	base := policy.Rule{
		Source:             t.Prefix,
		Pull:               policy.PullAny,
		NeverContactSource: t.Blocked,
		ConfTable:          true,
		DigestOnly:         t.MirrorByDigestOnly,
		Insecure:           t.Insecure,
		Origin:             t.origin,
	}
	// A wildcard written as the location is not the same as no location: nothing can
	// be rewritten to it, and nodes fail such pulls.
	if t.Location != t.Prefix || strings.HasPrefix(t.Prefix, "*.") {
		base.Location = t.Location
	}
	if len(t.Mirrors) == 0 {
		return []policy.Rule{base}
	}
	var rules []policy.Rule
	for i, m := range t.Mirrors {
		pull := t.pull(m)
		if i == 0 || rules[len(rules)-1].Pull != pull {
			next := base
			next.Pull = pull
			rules = append(rules, next)
		}
		last := &rules[len(rules)-1]
		last.Mirrors = append(last.Mirrors, policy.Mirror{Location: m.Location, Insecure: m.Insecure})
	}
	return rules
}

func (t table) pull(m mirror) policy.PullBy {
	switch {
	case t.MirrorByDigestOnly, m.PullFromMirror == pullDigest:
		return policy.PullDigest
	case m.PullFromMirror == pullTag:
		return policy.PullTag
	}
	return policy.PullAny
}

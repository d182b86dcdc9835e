package mirrorchoice

import (
	"fmt"
	"slices"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Chosen are the rules of a HostedCluster, and what became of others.
type Chosen struct {
	Rules *policy.Rules
	// Ignored are the sources of management policies whose mirrors are not used.
	Ignored []string
	// Blocked are those of them, and the blocked scopes, that stay blocked.
	Blocked []string
	// LeftOut says which entries of spec.imageContentSources are not used, and why.
	LeftOut []string
}

// Rules returns the rules that hold with c. management are those of the management cluster,
// its --registry-overrides among them, which always hold. hosted are the entries of
// spec.imageContentSources. Their mirrors are [policy.Mirror].ByTenant. A single bad entry
// is left out. unblock says that NeverContactSource and the blocked scopes of what is
// ignored do not hold.
//
// An error says that the rules cannot be in force together.
func (c Choice) Rules(management *policy.Rules, hosted []hyperv1.ImageContentSource, unblock bool) (Chosen, error) {
	if c.IsDefault() {
		return Chosen{Rules: management}, nil
	}
	b := builder{choice: c, management: management, unblock: unblock}
	if err := b.addManagement(); err != nil {
		return Chosen{}, err
	}
	if c.usesHosted() {
		if err := b.addHosted(hosted); err != nil {
			return Chosen{}, err
		}
	}
	var err error
	b.chosen.Rules, err = policy.NewRules(policy.RulesConfig{}, b.policy)
	return b.chosen, err
}

type builder struct {
	choice     Choice
	management *policy.Rules
	unblock    bool

	policy policy.Policy
	chosen Chosen
}

// addManagement adds what is used of the management policies, and what they block.
func (b *builder) addManagement() error {
	all := b.management.Policy()
	var closed, open []policy.Rule // of what is ignored
	for _, r := range all.Rules {
		switch {
		case r.Kind == policy.KindRewrite:
			b.policy.Rules = append(b.policy.Rules, r)
		case r.Provenance.ScopeOnly: // it comes of the scopes
		case b.choice.uses(r.Source):
			b.policy.Rules = append(b.policy.Rules, policy.Rule{
				Source: r.Source, Mirrors: r.Mirrors, Pull: r.Pull, NeverContactSource: r.NeverContactSource, Origin: r.Origin,
			})
		case !slices.Contains(b.chosen.Ignored, r.Source):
			b.chosen.Ignored = append(b.chosen.Ignored, r.Source)
			table := policy.Rule{Source: r.Source, ConfTable: true, Pull: policy.PullAny, NeverContactSource: r.NeverContactSource, Origin: r.Origin}
			if r.NeverContactSource {
				closed = append(closed, table)
			} else {
				open = append(open, table)
			}
		}
	}
	if b.choice.Mode != Ignore {
		b.policy.Insecure = stated(all.Insecure)
	}
	if b.choice.Mode == Ignore && b.unblock {
		return nil
	}
	b.policy.Blocked = stated(all.Blocked)
	for _, s := range all.Blocked {
		b.chosen.Blocked = append(b.chosen.Blocked, s.Name)
	}
	if b.unblock {
		return nil
	}
	for _, r := range closed {
		b.chosen.Blocked = append(b.chosen.Blocked, r.Source)
	}
	slices.Sort(b.chosen.Blocked)
	b.chosen.Blocked = slices.Compact(b.chosen.Blocked)
	// What the policies open inside of something blocked stays open.
	blocking, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: closed})
	if err != nil {
		return err
	}
	b.policy.Rules = append(b.policy.Rules, closed...)
	for _, r := range open {
		if _, blocked := blocking.ForbidsLocation(r.Source); blocked {
			b.policy.Rules = append(b.policy.Rules, r)
		}
	}
	return nil
}

// stated returns scopes as somebody states them, and not as tables hold them already.
func stated(scopes []policy.Scope) []policy.Scope {
	out := slices.Clone(scopes)
	for i := range out {
		out[i].FromExport = false
	}
	return out
}

// addHosted adds the entries of the HostedCluster, before what the management policies say of
// the same source.
func (b *builder) addHosted(entries []hyperv1.ImageContentSource) error {
	var stated policy.Policy
	for i, e := range entries {
		origin := fmt.Sprintf("spec.imageContentSources[%d]", i)
		if r, err := b.hostedRule(e, origin); err != nil {
			b.chosen.LeftOut = append(b.chosen.LeftOut, fmt.Sprintf("%s: %v", origin, err))
		} else {
			stated.Rules = append(stated.Rules, r)
		}
	}
	merged, err := policy.NewRules(policy.RulesConfig{}, stated)
	if err != nil {
		return err
	}
	for _, r := range merged.Policy().Rules {
		h := policy.Rule{Source: r.Source, Mirrors: r.Mirrors, Pull: policy.PullDigest, Origin: r.Origin}
		h.NeverContactSource = !b.unblock && b.blocksIn(r.Source)
		b.prefer(h)
	}
	return nil
}

// blocksIn reports whether the management policies block source or, if that is a wildcard,
// anything in it: it would hide a host of the same length, as for nodes.
func (b *builder) blocksIn(source string) bool {
	_, blocked := b.management.ForbidsLocation(source)
	if !blocked && strings.HasPrefix(source, "*") {
		blocked = slices.ContainsFunc(b.management.Policy().Rules, func(r policy.Rule) bool { return r.NeverContactSource && within(r.Source, source) })
	}
	return blocked
}

// hostedRule returns an entry as a rule. It fails where a name is none, or one that the
// management policies block.
func (b *builder) hostedRule(e hyperv1.ImageContentSource, origin string) (policy.Rule, error) {
	r := policy.Rule{Source: e.Source, Pull: policy.PullDigest, Origin: origin}
	if err := policy.CheckScope(e.Source); err != nil {
		return r, fmt.Errorf("source: %w", err)
	}
	if len(e.Mirrors) == 0 {
		return r, fmt.Errorf("source %s has no mirrors", e.Source)
	}
	for _, m := range e.Mirrors {
		if err := policy.CheckScope(m); err != nil || strings.HasPrefix(m, "*") {
			return r, fmt.Errorf("mirror %.255q of %s is no registry, namespace or repository", m, e.Source)
		}
		if by, blocked := b.management.ForbidsLocation(m); blocked && !b.unblock {
			return r, fmt.Errorf("mirror %s of %s is blocked by the management policies (%s)", m, e.Source, by.Name)
		}
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m, ByTenant: true})
	}
	return r, nil
}

// prefer adds h, of the HostedCluster. Mirrors of the same source for digests, from the
// management policies, come after those of h, and keep their trust where h names them too.
func (b *builder) prefer(h policy.Rule) {
	for i := range b.policy.Rules {
		r := &b.policy.Rules[i]
		if r.Kind == policy.KindRewrite || r.ConfTable || r.Source != h.Source || r.Pull == policy.PullTag {
			continue
		}
		if r.Pull == policy.PullAny { // h has nothing for tags
			tags := *r
			tags.Pull, r.Pull = policy.PullTag, policy.PullDigest
			b.policy.Rules = append(b.policy.Rules, tags)
			r = &b.policy.Rules[i]
		}
		mirrors := slices.Clone(h.Mirrors)
		for _, m := range r.Mirrors {
			at := slices.IndexFunc(mirrors, func(o policy.Mirror) bool { return o.Location == m.Location })
			if at < 0 {
				mirrors = append(mirrors, m)
			} else {
				mirrors[at] = m
			}
		}
		r.Mirrors, r.Origin = mirrors, h.Origin+", "+r.Origin
		return
	}
	b.policy.Rules = append(b.policy.Rules, h)
}

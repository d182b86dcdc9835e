package sources

import (
	"context"
	"slices"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Static returns a source that always states policy. It is for flags, tests and
// programs that know their rules. The policy is copied, here and on every Load.
func Static(name string, policy policy.Policy) policy.OverrideSource {
	return &static{name: name, policy: clone(policy)}
}

type static struct {
	name   string
	policy policy.Policy
}

func (s *static) Name() string { return s.name }

func (s *static) Load(ctx context.Context) (policy.Policy, error) {
	if err := ctx.Err(); err != nil {
		return policy.Policy{}, err
	}
	return clone(s.policy), nil
}

// clone shares nothing with p that either side could change.
func clone(p policy.Policy) policy.Policy {
	c := policy.Policy{
		Rules:    slices.Clone(p.Rules),
		Insecure: slices.Clone(p.Insecure),
		Blocked:  slices.Clone(p.Blocked),
		Allowed:  slices.Clone(p.Allowed),
		Search:   slices.Clone(p.Search),
		Clusters: slices.Clone(p.Clusters),
		Payloads: slices.Clone(p.Payloads),
		Catalogs: slices.Clone(p.Catalogs),
		Skipped:  slices.Clone(p.Skipped),
		Warnings: slices.Clone(p.Warnings),
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		r.Mirrors = slices.Clone(r.Mirrors)
		r.Provenance.Origins = slices.Clone(r.Provenance.Origins)
		r.Provenance.Mirrors = slices.Clone(r.Provenance.Mirrors)
		for j := range r.Provenance.Mirrors {
			r.Provenance.Mirrors[j] = slices.Clone(r.Provenance.Mirrors[j])
		}
	}
	for i := range c.Warnings {
		c.Warnings[i].Origins = slices.Clone(c.Warnings[i].Origins)
	}
	return c
}

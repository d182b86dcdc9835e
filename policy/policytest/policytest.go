// Package policytest makes random mirror policies, for tests of whatever reads,
// merges or hands them on. The same seed makes the same policies.
package policytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Set is one random question: policies, how to read them, and references in, above
// and beside what they name. About one in three does not load.
type Set struct {
	Config   policy.RulesConfig // how to read Policies
	Policies []policy.Policy
	Images   []imageref.Ref // to ask about
}

// New makes the set of a seed.
func New(seed uint64) Set {
	d := dice{Rand: rand.New(rand.NewPCG(seed, 7))}
	d.odd = d.chance(33)
	s := Set{Config: d.config(), Policies: d.policies()}
	s.Images = d.images(s.Policies)
	return s
}

// Origin returns one of a few names of entries, so that some share one.
func Origin(r *rand.Rand, what string) string { return fmt.Sprintf("%s/%d", what, r.IntN(4)) }

// dice makes random policies from small alphabets, so that they collide with
// themselves. Every third is odd somewhere; few of those that no node would load.
type dice struct {
	*rand.Rand
	odd bool
}

func (d dice) chance(percent int) bool      { return d.IntN(100) < percent }
func (d dice) of(from ...string) string     { return from[d.IntN(len(from))] }
func (d dice) origin(what string) string    { return Origin(d.Rand, what) }
func (d dice) pull() policy.PullBy          { return policy.PullBy(d.IntN(3)) }
func (d dice) some(most int, f func(i int)) { d.times(d.IntN(most+1), f) }
func (d dice) times(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

func (d dice) location() string {
	if d.odd && d.chance(6) {
		return d.of("nodot", "nodot/ns", "m.com/", "q.io/a/", "q.io/a//", "M.com/a", "m.com/a:t", "m.com//a", "*", "*.", "*.x.io/", "[::1]:5000/a", "m.com/"+strings.Repeat("x", 248))
	}
	host := d.of("q.io", "q.io", "q.io", "m.com", "n.com", "a.x.io", "a.x.io:5000", "x.io", "q.io:443", "docker.io")
	d.some(2, func(int) { host += "/" + d.of("a", "b") })
	return host
}

func (d dice) source() string {
	if d.chance(15) {
		return d.of("*.x.io", "*.io", "*.com")
	}
	return d.location()
}

func (d dice) scopes() (out []policy.Scope) {
	d.some(2, func(int) {
		out = append(out, policy.Scope{Name: d.source(), Origin: d.origin("image")})
	})
	return out
}

func (d dice) mirrors(source string) (out []policy.Mirror) {
	d.some(3, func(int) {
		m := policy.Mirror{Location: d.location()}
		if d.chance(8) {
			m.Location = source // among its own mirrors
		}
		m.ByTenant = d.chance(8)
		out = append(out, m)
	})
	return out
}

func (d dice) table() (out []policy.Rule) {
	r := policy.Rule{Source: d.source(), ConfTable: true, DropIn: d.chance(40), Pull: policy.PullAny, Origin: d.origin("conf")}
	r.NeverContactSource, r.Insecure, r.DigestOnly = d.chance(15), d.chance(15), d.chance(5)
	if d.chance(15) {
		r.Location = d.source()
	}
	if r.DigestOnly {
		r.Pull, r.Mirrors = policy.PullDigest, d.mirrors(r.Source)
		return []policy.Rule{r}
	}
	d.times(1+d.IntN(3), func(int) { // pulls in turn: one table
		next := r
		next.Pull, next.Mirrors = d.pull(), d.mirrors(r.Source)
		for i := range next.Mirrors {
			next.Mirrors[i].Insecure = d.chance(15)
		}
		out = append(out, next)
	})
	return out
}

func (d dice) policies() (out []policy.Policy) {
	d.times(1+d.IntN(3), func(i int) {
		var p policy.Policy
		d.some(4, func(int) {
			r := policy.Rule{Source: d.source(), Pull: d.pull(), NeverContactSource: d.chance(20), Origin: d.origin("set")}
			r.Mirrors = d.mirrors(r.Source)
			p.Rules = append(p.Rules, r)
		})
		if d.chance(30) {
			d.some(3, func(int) { p.Rules = append(p.Rules, d.table()...) })
		}
		if d.chance(30) {
			d.some(2, func(int) {
				p.Rules = append(p.Rules, policy.Rule{
					Kind: policy.KindRewrite, Source: d.location(), Mirrors: []policy.Mirror{{Location: d.location()}}, Pull: policy.PullAny, Origin: d.origin("flag"),
				})
			})
		}
		if d.chance(50) {
			p.Insecure = d.scopes()
		}
		if d.chance(30) {
			p.Blocked = d.scopes()
		}
		out = append(out, p)
	})
	return out
}

func (d dice) config() policy.RulesConfig {
	return policy.RulesConfig{TagsFollowDigestRules: d.chance(30), Strict: d.chance(10)}
}

// images returns references in, above and beside what policies name.
func (d dice) images(policies []policy.Policy) (out []imageref.Ref) {
	names := []string{"alpine", "q.io/a", "m.com/a/b", "a.x.io/z", "b.a.x.io:5000/z"}
	for _, p := range policies {
		for _, r := range p.Rules {
			names = append(names, r.Source, r.Location)
			for _, m := range r.Mirrors {
				names = append(names, m.Location)
			}
		}
		for _, s := range slices.Concat(p.Insecure, p.Blocked) {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		name = strings.TrimRight(strings.Replace(name, "*", d.of("a", "y", "y.a"), 1), "/")
		for _, tail := range []string{"", "/a", "/a/b", "/c"} {
			for _, pull := range []string{":t", digest} {
				if ref, err := imageref.Parse(name + tail + pull); err == nil {
					out = append(out, ref)
				}
			}
		}
	}
	return out
}

const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// corpus returns n sources as clusters have them: registries, namespaces and
// repositories, two mirrors each, and a reference below every one.
func corpus(n int) (policy.Policy, []imageref.Ref) {
	var p policy.Policy
	refs := make([]imageref.Ref, 0, n)
	for i := range n {
		source := fmt.Sprintf("registry-%d.example.com/team-%d/product-%d", i%97, i%1009, i)
		switch i % 10 {
		case 0:
			source = fmt.Sprintf("host-%d.example.org", i)
		case 1:
			source = fmt.Sprintf("*.zone-%d.example.net", i)
		case 2, 3:
			source = fmt.Sprintf("registry-%d.example.com/ns-%d", i%97, i)
		}
		p.Rules = append(p.Rules, idms(source, fmt.Sprintf("mirror-a.local:8443/%d/x", i), fmt.Sprintf("mirror-b.local:8443/%d/x", i)))
		name := source
		if name[0] == '*' {
			name = "images" + name[1:]
		}
		refs = append(refs, imageref.MustParse(name+"/openshift/ocp-release"+sha))
	}
	return p, refs
}

var sizes = []int{10, 1_000, 10_000, 100_000}

func rulesOf(b *testing.B, p policy.Policy) *policy.Rules {
	b.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkCandidates is P1: the time may grow by a factor of 2 from 10 to
// 100,000 sources for a repeated reference, 3 for random ones.
func BenchmarkCandidates(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) {
			p, refs := corpus(n)
			r := rulesOf(b, p)
			repeated := refs[n/2+4]
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
			b.Run("repeated", func(b *testing.B) { lookUp(b, r, []imageref.Ref{repeated}) })
			b.Run("random", func(b *testing.B) { lookUp(b, r, refs) })
		})
	}
}

func lookUp(b *testing.B, r *policy.Rules, refs []imageref.Ref) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if c, err := r.Candidates(refs[i]); err != nil || len(c) != 3 {
			b.Fatal(c, err)
		}
		if i++; i == len(refs) {
			i = 0
		}
	}
}

// BenchmarkCandidatesBlocked is the same where something is blocked.
func BenchmarkCandidatesBlocked(b *testing.B) {
	p, refs := corpus(1_000)
	for name, scope := range map[string]string{"elsewhere": "blocked.example.com", "a-mirror": "mirror-b.local:8443/505"} {
		p.Blocked = scopes(scope)
		r := rulesOf(b, p)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Candidates(refs[505]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNewRules is what a change of policies costs.
func BenchmarkNewRules(b *testing.B) {
	for _, n := range sizes {
		p, _ := corpus(n)
		p.Insecure, p.Blocked = scopes("mirror-a.local:8443", "*.zone-1.example.net"), scopes("blocked.example.com")
		b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rulesOf(b, p)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	p, refs := corpus(1_000)
	r := mustRules(t, policy.RulesConfig{}, p)
	p.Blocked = scopes("mirror-b.local:8443/505")
	blocked := mustRules(t, policy.RulesConfig{}, p)
	tags := mustRules(t, policy.RulesConfig{TagsFollowDigestRules: true}, p)
	name := imageref.MustParse(refs[505].Name())
	both := imageref.MustParse(refs[505].Name() + ":t" + sha)
	for what, call := range map[string]func() ([]policy.Candidate, error){
		"a digest":            func() ([]policy.Candidate, error) { return r.Candidates(refs[505]) },
		"a wildcard":          func() ([]policy.Candidate, error) { return r.Candidates(refs[501]) },
		"no source":           func() ([]policy.Candidate, error) { return r.Candidates(imageref.MustParse("q.io/a:t")) },
		"no tag":              func() ([]policy.Candidate, error) { return tags.Candidates(name) },
		"a tag and a digest":  func() ([]policy.Candidate, error) { return r.Candidates(both) },
		"something blocked":   func() ([]policy.Candidate, error) { return blocked.Candidates(refs[505]) },
		"a tag, digests only": func() ([]policy.Candidate, error) { return r.Candidates(name) },
	} {
		if n := testing.AllocsPerRun(100, func() { _, _ = call() }); n > 2 {
			t.Errorf("%s: %v allocations, want at most 2", what, n)
		}
	}
}

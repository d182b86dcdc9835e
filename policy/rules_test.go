package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const sha = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// idms, itms and table are rules as the sources make them.
func idms(source string, mirrors ...string) policy.Rule {
	return rule(policy.PullDigest, source, mirrors...)
}

func itms(source string, mirrors ...string) policy.Rule {
	return rule(policy.PullTag, source, mirrors...)
}

func any_(source string, mirrors ...string) policy.Rule {
	return rule(policy.PullAny, source, mirrors...)
}

func rule(by policy.PullBy, source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Pull: by, Origin: "test/" + source}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

func never(r policy.Rule) policy.Rule {
	r.NeverContactSource = true
	return r
}

func literal(r policy.Rule) policy.Rule {
	r.ConfTable = true
	return r
}

func policyOf(rules ...policy.Rule) policy.Policy { return policy.Policy{Rules: rules} }

func scopes(names ...string) (out []policy.Scope) {
	for _, n := range names {
		out = append(out, policy.Scope{Name: n, Origin: "image/cluster"})
	}
	return out
}

func mustRules(t *testing.T, cfg policy.RulesConfig, policies ...policy.Policy) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(cfg, policies...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// resolve prints a resolution: candidates in order, a star for mirrors, an
// exclamation mark for insecure ones, refused endpoints in parentheses at the
// end. It holds Candidates against Resolve.
func resolve(t *testing.T, r *policy.Rules, image string) string {
	t.Helper()
	ref := imageref.MustParse(image)
	res, err := r.Resolve(ref)
	fast, fastErr := r.Candidates(ref)
	if err != nil || fastErr != nil {
		var a, b *policy.RewriteError
		if !errors.As(err, &a) || !errors.As(fastErr, &b) || a.Error() != b.Error() {
			t.Fatalf("Resolve(%s): %v, Candidates: %v; want the same RewriteError", image, err, fastErr)
		}
		return "error"
	}
	var out []string
	for _, c := range res.Candidates {
		out = append(out, show(c))
	}
	var short []string
	for _, c := range fast {
		short = append(short, show(c))
	}
	if got, want := strings.Join(short, " "), strings.Join(out, " "); got != want {
		t.Fatalf("Candidates(%s) = %s, Resolve says %s", image, got, want)
	}
	for _, f := range res.Refused {
		out = append(out, "("+f.Ref.String()+" by "+f.By+")")
	}
	return strings.ReplaceAll(strings.Join(out, " "), sha, "@D")
}

func show(c policy.Candidate) string {
	s := c.Ref.String()
	if c.Mirror {
		s += "*"
	}
	if c.Insecure {
		s += "!"
	}
	return s
}

func TestCandidates(t *testing.T) {
	table := func(source, location string, mirrors ...string) policy.Rule {
		r := literal(any_(source, mirrors...))
		r.Location = location
		return r
	}
	for _, test := range []struct {
		name   string
		policy policy.Policy
		want   map[string]string
	}{
		{"nothing", policyOf(), map[string]string{
			"alpine":               "docker.io/library/alpine:latest",
			"quay.io/a:t" + sha:    "quay.io/a@D",
			"quay.io/a/b/c:4.15.0": "quay.io/a/b/c:4.15.0",
		}},
		{"digest rules leave tags alone", policyOf(idms("quay.io/a", "m.com/x", "n.com/y")), map[string]string{
			"quay.io/a/b" + sha:   "m.com/x/b@D* n.com/y/b@D* quay.io/a/b@D",
			"quay.io/a/b:t" + sha: "m.com/x/b@D* n.com/y/b@D* quay.io/a/b@D",
			"quay.io/a/b:t":       "quay.io/a/b:t",
			"quay.io/ab" + sha:    "quay.io/ab@D",
		}},
		{"tag rules leave digests alone", policyOf(itms("quay.io/a", "m.com/x")), map[string]string{
			"quay.io/a":       "m.com/x:latest* quay.io/a:latest",
			"quay.io/a" + sha: "quay.io/a@D",
		}},
		{"any", policyOf(any_("quay.io", "m.com/x")), map[string]string{
			"quay.io/a:t":     "m.com/x/a:t* quay.io/a:t",
			"quay.io/a" + sha: "m.com/x/a@D* quay.io/a@D",
		}},
		{"never", policyOf(never(idms("quay.io/a", "m.com/x"))), map[string]string{
			"quay.io/a" + sha: "m.com/x@D* (quay.io/a@D by quay.io/a)",
			"quay.io/a:t":     "(quay.io/a:t by quay.io/a)",
		}},
		{"never without mirrors does nothing", policyOf(never(idms("quay.io/a")), never(idms("quay.io/b", "quay.io/b"))), map[string]string{
			"quay.io/a" + sha: "quay.io/a@D",
			"quay.io/b" + sha: "quay.io/b@D",
		}},
		{"never is not passed down", policyOf(never(idms("quay.io", "m.com")), idms("quay.io/open", "m.com/open")), map[string]string{
			"quay.io/open/x" + sha: "m.com/open/x@D* quay.io/open/x@D",
			"quay.io/shut/x" + sha: "m.com/shut/x@D* (quay.io/shut/x@D by quay.io)",
		}},
		{"the orders of several objects", policyOf(idms("q.io/a", "a.com", "b.com", "c.com"), idms("q.io/a", "c.com", "d.com")), map[string]string{
			"q.io/a/x" + sha: "a.com/x@D* b.com/x@D* c.com/x@D* d.com/x@D* q.io/a/x@D",
		}},
		{"conflicting orders put the source first", policyOf(idms("quay.io/conflict", "registry.local/a", "registry.local/b"), idms("quay.io/conflict", "registry.local/b", "registry.local/a")), map[string]string{
			"quay.io/conflict" + sha: "quay.io/conflict@D registry.local/a@D* registry.local/b@D* quay.io/conflict@D",
		}},
		{"the source in the middle", policyOf(idms("q.io/s", "z.com/s", "q.io/s", "a.com/s")), map[string]string{
			"q.io/s" + sha: "z.com/s@D* q.io/s@D a.com/s@D* q.io/s@D",
		}},
		{"wildcards", policyOf(idms("*.redhat.io", "mirror.local/redhat"), idms("a.redhat.io", "m.com/a"), idms("*.example.com", "m.com/wild"), idms("a.example.com", "m.com/plain")), map[string]string{
			"registry.redhat.io/p/r" + sha:      "mirror.local/redhat/p/r@D* registry.redhat.io/p/r@D",
			"x.y.redhat.io/p" + sha:             "mirror.local/redhat/p@D* x.y.redhat.io/p@D",
			"a.redhat.io/p" + sha:               "mirror.local/redhat/p@D* a.redhat.io/p@D",
			"redhat.io/p" + sha:                 "redhat.io/p@D",
			"foo.redhat.io.redhat.io/p" + sha:   "foo.redhat.io.redhat.io/p@D",
			"registry.redhat.io:5000/p/r" + sha: "error",
			"a.example.com/p" + sha:             "m.com/wild/p@D* a.example.com/p@D",
		}},
		{"a port matches its host", policyOf(idms("quay.io", "m.com"), idms("q.io", "m.com/q")), map[string]string{
			"quay.io:443/x" + sha: "m.com:443/x@D* quay.io:443/x@D",
			"q.io:443/x" + sha:    "error",
			"q.io:443/x:t":        "q.io:443/x:t",
		}},
		{"one unparsable mirror fails the pull", policyOf(idms("quay.io", "m.com/ok", "nodot/ns")), map[string]string{
			"quay.io/x" + sha: "error",
			"quay.io/x:t":     "quay.io/x:t",
		}},
		{"tables as written", policyOf(table("quay.io", "", "z.com", "a.com"), table("*.x.io", "", "w.com"), table("p.io", "l.io/p")), map[string]string{
			"quay.io/x:t":    "z.com/x:t* a.com/x:t* quay.io/x:t",
			"a.b.x.io/y:t":   "w.com/y:t* a.b.x.io/y:t",
			"p.io/x" + sha:   "l.io/p/x@D",
			"x.io/y" + sha:   "x.io/y@D",
			"l.io/p/x" + sha: "l.io/p/x@D",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustRules(t, policy.RulesConfig{}, test.policy)
			for image, want := range test.want {
				if got := resolve(t, r, image); got != want {
					t.Errorf("%s\n got %s\nwant %s", image, got, want)
				}
			}
		})
	}
}

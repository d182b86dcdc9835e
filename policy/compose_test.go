package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/policytest"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// What a receiver adds to rules that were handed to it.
func TestPolicyComposed(t *testing.T) {
	handed := policy.Policy{
		Rules: []policy.Rule{
			idms("q.io/a", "m.com/a", "n.com/a"), never(itms("q.io/t", "m.com/t")), override("q.io/r", "old.com/r"),
		},
		Insecure: scopes("m.com/a", "q.io/a/sub", "safe.com"),
		Blocked:  scopes("b.io"),
	}
	for _, test := range []struct {
		name  string
		cfg   policy.RulesConfig
		added policy.Policy
		want  map[string]string
	}{
		{"nothing", policy.RulesConfig{}, policyOf(), map[string]string{
			"q.io/a/x" + sha:   "m.com/a/x@D*! n.com/a/x@D* q.io/a/x@D",
			"q.io/a/sub" + sha: "m.com/a/sub@D*! n.com/a/sub@D* q.io/a/sub@D!",
			"q.io/a/x:t":       "q.io/a/x:t",
			"q.io/r:t":         "old.com/r:t",
		}},
		{"mirrors of an object come after those of the table", policy.RulesConfig{}, policyOf(idms("q.io/a", "o.com/a", "m.com/z")), map[string]string{
			"q.io/a/x" + sha: "m.com/a/x@D*! n.com/a/x@D* o.com/a/x@D* m.com/z/x@D* q.io/a/x@D",
		}},
		{"handed insecure scopes reach what is added", policy.RulesConfig{}, policyOf(any_("z.io", "safe.com/z")), map[string]string{
			"z.io/x:t": "safe.com/z/x:t*! z.io/x:t",
		}},
		{"and insecure scopes of others reach what was handed on", policy.RulesConfig{}, policy.Policy{Insecure: scopes("n.com", "q.io")}, map[string]string{
			"q.io/a/x" + sha: "m.com/a/x@D*! n.com/a/x@D*! q.io/a/x@D!",
		}},
		{"handed blocked scopes reach what is added", policy.RulesConfig{}, policyOf(any_("b.io/new", "m.com/new")), map[string]string{
			"b.io/new/x:t": "m.com/new/x:t* (b.io/new/x:t by b.io)",
		}},
		{"and blocked scopes of others reach what was handed on", policy.RulesConfig{}, policy.Policy{Blocked: scopes("q.io", "n.com")}, map[string]string{
			"q.io/a/x" + sha: "m.com/a/x@D*! (n.com/a/x@D by n.com) (q.io/a/x@D by q.io)",
		}},
		{"never stays never", policy.RulesConfig{}, policyOf(itms("q.io/t", "n.com/t")), map[string]string{
			"q.io/t:t": "m.com/t:t* n.com/t:t* (q.io/t:t by q.io/t)",
		}},
		{"a stated Rewrite rule goes before one that was handed on", policy.RulesConfig{}, policyOf(override("q.io/r", "new.com/r"), override("q.io/s", "new.com/s")), map[string]string{
			"q.io/r:t": "new.com/r:t",
			"q.io/s:t": "new.com/s:t",
		}},
		{"tags follow digest rules", policy.RulesConfig{TagsFollowDigestRules: true}, policyOf(), map[string]string{
			"q.io/a/x" + sha: "m.com/a/x@D*! n.com/a/x@D* q.io/a/x@D",
			"q.io/a/x:t":     "m.com/a/x:t*! n.com/a/x:t* q.io/a/x:t",
			"q.io/t:t":       "m.com/t:t* (q.io/t:t by q.io/t)",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mustRules(t, policy.RulesConfig{}, handed).Policy()
			for _, order := range [][]policy.Policy{{p, test.added}, {test.added, p}} {
				r := mustRules(t, test.cfg, order...)
				for image, want := range test.want {
					if got := resolve(t, r, image); got != want {
						t.Errorf("%s\n got %s\nwant %s", image, got, want)
					}
				}
			}
		})
	}
}

// A mirror that is listed for digests and for tags is tried once, also where tags
// follow digest rules that were handed on without.
func TestPolicyTagsFollowOnce(t *testing.T) {
	p := mustRules(t, policy.RulesConfig{}, policyOf(idms("q.io", "m.com/a", "n.com/a"), itms("q.io", "t.com/a", "n.com/a"))).Policy()
	r := mustRules(t, policy.RulesConfig{TagsFollowDigestRules: true}, p)
	if got, want := resolve(t, r, "q.io/x:t"), "m.com/a/x:t* t.com/a/x:t* n.com/a/x:t* q.io/x:t"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A scope with a slash at its end covers its own table and nothing else, also when
// it is read again, where the slash is gone from the table.
func TestPolicyScopeWithSlash(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules:    []policy.Rule{never(idms("q.io/a/", "m.com/a"))},
		Insecure: scopes("q.io/a/"), Blocked: scopes("q.io/b/"),
	})
	var images []imageref.Ref
	for _, s := range []string{"q.io/a" + sha, "q.io/a/x" + sha, "q.io/b:t", "q.io/b/x:t"} {
		images = append(images, imageref.MustParse(s))
	}
	same(t, "handed on", r, mustRules(t, policy.RulesConfig{}, r.Policy()), images)
}

// The whole policy that is handed on, origins among it, is the same for any order
// of the objects, as long as there are no tables, of which the first counts.
func TestPolicyIsStable(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var policies []policy.Policy
		for _, p := range policytest.New(seed).Policies {
			for _, r := range p.Rules {
				if !r.ConfTable {
					policies = append(policies, policyOf(r))
				}
			}
			for _, s := range p.Insecure {
				policies = append(policies, policy.Policy{Insecure: []policy.Scope{s}})
			}
			for _, s := range p.Blocked {
				policies = append(policies, policy.Policy{Blocked: []policy.Scope{s}})
			}
		}
		for i := range policies {
			for j := range policies[i].Rules {
				policies[i].Rules[j].Origin = policytest.Origin(rng, "any") // also where the rest is the same
			}
		}
		first, err := policy.NewRules(policy.RulesConfig{}, policies...)
		for range 20 {
			rng.Shuffle(len(policies), func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
			r, second := policy.NewRules(policy.RulesConfig{}, policies...)
			if (err == nil) != (second == nil) {
				t.Fatalf("seed %d: %v in one order, %v in another", seed, err, second)
			}
			if err == nil && !reflect.DeepEqual(first.Policy(), r.Policy()) {
				t.Fatalf("seed %d: handed on\n%+v\nand in another order\n%+v", seed, first.Policy(), r.Policy())
			}
		}
	}
}

// The origins of several entries stay apart.
func TestPolicyOrigins(t *testing.T) {
	one, two := idms("q.io", "m.com", "n.com"), idms("q.io", "n.com", "o.com")
	one.Origin, two.Origin = "one", "two"
	p := mustRules(t, policy.RulesConfig{}, policyOf(one, two)).Policy()
	if len(p.Rules) != 1 || p.Rules[0].Origin != "one, two" {
		t.Fatalf("got %+v, want one table of one, two", p.Rules)
	}
	got, err := mustRules(t, policy.RulesConfig{}, p).Candidates(imageref.MustParse("q.io/a" + sha))
	if err != nil {
		t.Fatal(err)
	}
	var origins []string
	for _, c := range got {
		origins = append(origins, fmt.Sprint(c.Origins))
	}
	if s := strings.Join(origins, " "); s != "[one] [one two] [two] []" {
		t.Errorf("got origins %s", s)
	}
}

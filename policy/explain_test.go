package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// from gives a rule an origin of its own.
func from(origin string, r policy.Rule) policy.Rule {
	r.Origin = origin
	return r
}

func explain(t *testing.T, r *policy.Rules, image string) policy.Explanation {
	t.Helper()
	x, err := r.Explain(imageref.MustParse(image))
	if err != nil {
		t.Fatalf("%s: %v", image, err)
	}
	res, err := r.Resolve(imageref.MustParse(image))
	if err != nil || !reflect.DeepEqual(x.Resolution, res) {
		t.Errorf("%s: explained %+v, resolved %+v, %v", image, x.Resolution, res, err)
	}
	return x
}

func TestExplain(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{},
		policyOf(from("one", idms("quay.io/a", "b.com/x", "a.com/x")), from("two", never(idms("quay.io/a", "c.com/x"))), from("empty", never(idms("quay.io/a")))),
		policyOf(from("tags", itms("quay.io/a", "t.com/x", "a.com/x")), from("parent", idms("quay.io", "p.com")), from("wild", itms("*.io", "w.com")), from("override", override("x.io", "y.io/z"))),
		policy.Policy{Insecure: []policy.Scope{{Name: "*.io", Origin: "image"}}},
	)
	x := explain(t, r, "quay.io/a/b"+sha)
	if x.Pull != policy.PullDigest || x.Reason != policy.LongestMatch || x.Moved || !x.Rewritten.IsZero() {
		t.Errorf("%+v", x)
	}
	var stated []string
	for _, e := range x.Entries {
		stated = append(stated, fmt.Sprint(e.Origin, " ", e.Pull, e.Mirrors, " ", e.NeverContactSource))
	}
	// Each as it is stated, in its own order; the one that is dropped too.
	if want := []string{"one digest [b.com/x a.com/x] false", "two digest [c.com/x] true", "empty digest [] true", "tags tag [t.com/x a.com/x] false"}; !slices.Equal(stated, want) {
		t.Errorf("entries %q, want %q", stated, want)
	}
	if want := []policy.UnusedSource{{Source: "quay.io", Origins: []string{"parent"}}}; !reflect.DeepEqual(x.Unused, want) {
		t.Errorf("unused %+v, want %+v: *.io makes it insecure, and so applies", x.Unused, want)
	}
	if want := []policy.SkippedMirror{{Location: "t.com/x", Pull: policy.PullTag}}; !slices.Equal(x.Skipped, want) || !slices.Equal(x.Hints, []policy.Hint{policy.HintTagsOnly}) {
		t.Errorf("skipped %+v, hints %q, want %+v", x.Skipped, x.Hints, want)
	}

	x = explain(t, r, "quay.io/a")
	if want := []policy.SkippedMirror{{"b.com/x", policy.PullDigest}, {"c.com/x", policy.PullDigest}}; x.Pull != policy.PullTag || x.Reason != policy.NamesImage ||
		!slices.Equal(x.Skipped, want) || !slices.Equal(x.Hints, []policy.Hint{policy.HintDigestsOnly}) {
		t.Errorf("%+v", x)
	}
	if x = explain(t, r, "x.io/a:t"); x.Source != "*.io" || x.Reason != policy.OnlyMatch || x.Rewritten.String() != "y.io/z/a:t" {
		t.Errorf("%+v", x)
	}
	if x = explain(t, r, "other.com/a:t"); x.Source != "" || x.Reason != policy.NoMatch || len(x.Entries)+len(x.Unused)+len(x.Skipped)+len(x.Hints)+len(x.Warnings) > 0 {
		t.Errorf("%+v", x)
	}
}

// A wildcard that stands for one letter is as long as the host, and wins.
// A host that policy writes in another way is another one, and said to be.
func TestExplainSpelling(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(
		idms("quay.io/a", "m.com/x"), idms("port.io:443/a", "m.com/x"), idms("UPPER.io/a", "m.com/x"), idms("both.io/a", "m.com/x"),
		idms("both.io:443/a", "m.com/x"), idms("whole.io", "m.com"), idms("docker.io/library", "m.com/x"), idms("*.wild.io", "m.com"),
	))
	for image, want := range map[string]string{
		"quay.io/a/b": "", "quay.io:443/a/b": "quay.io", "QUAY.io/a/b": "quay.io", "quay.io:0443/a/b": "quay.io", "quay.io:443/other": "", "quay.io:8443/a/b": "",
		"port.io/a/b": "port.io:443", "port.io:443/a/b": "", "upper.io/a/b": "UPPER.io",
		"both.io/a/b": "", "both.io:443/a/b": "", "BOTH.io/a/b": "both.io",
		"both.io:443/other":              "",
		"whole.io:443/b":                 "", // nodes match it all the same
		"registry-1.docker.io/library/b": "docker.io", "index.docker.io/library/b": "", "b": "",
		"x.WILD.io/b": "", "elsewhere.io:443/a": "",
	} {
		if got := explain(t, r, image).Spelling; got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

func TestExplainTie(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(idms("*.example.com", "m.com"), from("host", idms("a.example.com", "n.com"))))
	x := explain(t, r, "a.example.com/x"+sha)
	if want := []policy.UnusedSource{{Source: "a.example.com", Tied: true, Origins: []string{"host"}}}; x.Source != "*.example.com" || !reflect.DeepEqual(x.Unused, want) {
		t.Errorf("%+v", x)
	}
}

// An entry that a scope makes has the mirrors of an enclosing source, whose entries
// are the ones that explain it. NeverContactSource stays behind.
func TestExplainInherited(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules:    []policy.Rule{from("parent", never(idms("q.io", "m.com"))), from("parent tags", itms("q.io", "t.com"))},
		Insecure: scopes("q.io/sub"),
	})
	x := explain(t, r, "q.io/sub/x"+sha)
	if x.Inherited != "q.io" || len(x.Entries) != 2 || x.Entries[0].Origin != "parent" || len(x.Unused) > 0 {
		t.Errorf("%+v", x)
	}
	if want := []policy.SkippedMirror{{Location: "t.com/sub", Pull: policy.PullTag}}; !slices.Equal(x.Skipped, want) {
		t.Errorf("skipped %+v, want %+v", x.Skipped, want)
	}
	if !slices.Contains(x.Hints, policy.HintNeverNotInherited) {
		t.Errorf("hints %q", x.Hints)
	}
	if x = explain(t, r, "q.io/x"+sha); slices.Contains(x.Hints, policy.HintNeverNotInherited) {
		t.Errorf("hints %q where nothing is inherited", x.Hints)
	}
}

func TestExplainMoved(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(located("p.io", "q.io/z"), literal(any_("s.io", "m.com"))))
	if x := explain(t, r, "p.io/a:t"); !x.Moved || x.Entries[0].Location != "q.io/z" || !x.Entries[0].ConfTable {
		t.Errorf("%+v", x)
	}
	if x := explain(t, r, "s.io/a:t"); x.Moved {
		t.Errorf("%+v", x)
	}
}

// A mirror that the image cannot be put onto leaves no candidates, and everything
// else is explained.
func TestExplainRewriteError(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(idms("quay.io", "nodot/x"), idms("*.io", "m.com")))
	x, err := r.Explain(imageref.MustParse("quay.io/a" + sha))
	if _, ok := errors.AsType[*policy.RewriteError](err); !ok || x.Source != "quay.io" || len(x.Entries) != 1 || len(x.Unused) != 1 || len(x.Candidates) > 0 {
		t.Errorf("%+v, %v", x, err)
	}
	if len(x.Warnings) != 1 || x.Warnings[0].Code != policy.WarnUnparsableRewrite {
		t.Errorf("warnings %+v", x.Warnings)
	}
}

// The warnings are those of entries that name the image, also of one that nodes drop.
func TestExplainWarnings(t *testing.T) {
	r := mustRules(t, policy.RulesConfig{}, policyOf(from("mine", never(idms("q.io/a"))), from("other", never(idms("q.io/b"))), from("dead", idms("nodot", "m.com"))))
	x := explain(t, r, "q.io/a/x"+sha)
	if len(x.Warnings) != 1 || !slices.Equal(x.Warnings[0].Origins, []string{"mine"}) {
		t.Errorf("%+v", x.Warnings)
	}
	if !x.Concerns(policy.Warning{Origins: []string{"else", "mine"}}) || x.Concerns(policy.Warning{Origins: []string{"other"}}) {
		t.Error("warnings of sources are not told apart")
	}
}

// What makes an endpoint insecure is named: a scope before a table.
func TestInsecureBy(t *testing.T) {
	table := literal(any_("t.io", "s.com", "i.com", "scoped.com/x"))
	table.Mirrors[1].Insecure = true
	table.Insecure, table.Origin = true, "conf"
	r := mustRules(t, policy.RulesConfig{}, policy.Policy{
		Rules:    []policy.Rule{table, idms("q.io", "m.com/a", "n.com"), itms("deep.io/a", "m.com"), override("old.io", "m.com/new")},
		Insecure: []policy.Scope{{Name: "m.com", Origin: "one"}, {Name: "m.com/a", Origin: "two"}, {Name: "q.io/sub", Origin: "three"}, {Name: "scoped.com", Origin: "four"}, {Name: "*.w.io", Origin: "five"}},
	})
	for _, rules := range []*policy.Rules{r, mustRules(t, policy.RulesConfig{}, r.Policy())} {
		for image, want := range map[string]string{
			"t.io/x:t":         "s.com/x:t; i.com/x:t i.com by conf; scoped.com/x/x:t scoped.com by four; t.io/x:t t.io by conf",
			"q.io/x" + sha:     "m.com/a/x@D m.com/a by two; n.com/x@D; q.io/x@D",
			"q.io/sub/x" + sha: "m.com/a/sub/x@D m.com/a by two; n.com/sub/x@D; q.io/sub/x@D q.io/sub by three",
			"a.w.io/x:t":       "a.w.io/x:t *.w.io by five",
			"old.io/x:t":       "m.com/new/x:t m.com by one",
		} {
			res, err := rules.Resolve(imageref.MustParse(image))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range res.Candidates {
				s := strings.ReplaceAll(c.Ref.String(), sha, "@D")
				if (c.InsecureBy != nil) != c.Insecure {
					t.Errorf("%s: insecure %v, by %v", s, c.Insecure, c.InsecureBy)
				}
				if c.InsecureBy != nil {
					s += " " + c.InsecureBy.Name + " by " + c.InsecureBy.Origin
				}
				got = append(got, s)
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%s:\n got %s\nwant %s", image, strings.Join(got, "; "), want)
			}
		}
	}
}

package registriesconf

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/policy"
)

const where = "file:registries.conf"

func mirrors(names ...string) (out []policy.Mirror) {
	for _, n := range names {
		out = append(out, policy.Mirror{Location: n})
	}
	return out
}

func at(line, n int) string { return fmt.Sprintf("%s:%d [[registry]]#%d", where, line, n) }

func decode(t *testing.T, texts ...string) policy.Policy {
	t.Helper()
	var merged Conf
	for i, text := range texts { // the first is the base
		c, err := Decode(where, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			merged = c
		} else {
			merged.Apply(c)
		}
	}
	var p policy.Policy
	merged.AddTo(&p)
	return p
}

func TestRules(t *testing.T) {
	for _, tc := range []struct {
		name     string
		texts    []string
		want     []policy.Rule
		warnings int
	}{
		{"nothing", []string{""}, nil, 0},
		{"what is about other things", []string{`
unqualified-search-registries = ["a.io"]
credential-helpers = ["x"]
short-name-mode = "enforcing"
additional-layer-store-auth-helper = "x"
[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
`}, nil, 0},
		{"a table without mirrors", []string{"[[registry]]\nlocation = \"a.io/\"\ninsecure = true\nblocked = true\n"},
			[]policy.Rule{{Source: "a.io", Pull: policy.PullAny, ConfTable: true, Insecure: true, NeverContactSource: true, Origin: at(1, 1)}}, 0},
		{"prefix and location", []string{"[[registry]]\nprefix = \"a.io/x\"\nlocation = \"b.io/y\"\n"},
			[]policy.Rule{{Source: "a.io/x", Location: "b.io/y", Pull: policy.PullAny, ConfTable: true, Origin: at(1, 1)}}, 0},
		{"wildcard without location", []string{"[[registry]]\nprefix = \"*.a.io\"\n[[registry.mirror]]\nlocation = \"m.io/a\"\ninsecure = true\n"},
			[]policy.Rule{{Source: "*.a.io", Pull: policy.PullAny, ConfTable: true, Origin: at(1, 1), Mirrors: []policy.Mirror{{Location: "m.io/a", Insecure: true}}}}, 0},
		{"wildcard as location", []string{"[[registry]]\nlocation = \"*.a.io\"\n"},
			[]policy.Rule{{Source: "*.a.io", Location: "*.a.io", Pull: policy.PullAny, ConfTable: true, Origin: at(1, 1)}}, 0},
		{"digest only", []string{`
[[registry]]
location = "a.io"
mirror-by-digest-only = true
  [[registry.mirror]]
  location = "z.io"
  [[registry.mirror]]
  location = "m.io"
`}, []policy.Rule{{Source: "a.io", Mirrors: mirrors("z.io", "m.io"), Pull: policy.PullDigest, ConfTable: true, DigestOnly: true, Origin: at(2, 1)}}, 0},
		{"mirrors of several kinds, in order", []string{`
[[registry]] # of the site
location = "a.io"
[[registry.mirror]]
location = "1.io"
[[registry.mirror]]
location = "2.io"
pull-from-mirror = "all"
[[registry.mirror]]
location = "3.io"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "4.io"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "5.io"
pull-from-mirror = "digest-only"
`}, []policy.Rule{
			{Source: "a.io", Mirrors: mirrors("1.io", "2.io"), Pull: policy.PullAny, ConfTable: true, Origin: at(2, 1)},
			{Source: "a.io", Mirrors: mirrors("3.io"), Pull: policy.PullDigest, ConfTable: true, Origin: at(2, 1)},
			{Source: "a.io", Mirrors: mirrors("4.io"), Pull: policy.PullTag, ConfTable: true, Origin: at(2, 1)},
			{Source: "a.io", Mirrors: mirrors("5.io"), Pull: policy.PullDigest, ConfTable: true, Origin: at(2, 1)},
		}, 0},
		{"sorted, the first of a prefix counts", []string{`
[[registry]]
location = "b.io"
[[registry]]
location = "a.io"
[[registry]]
prefix = "b.io"
location = "c.io"
`}, []policy.Rule{
			{Source: "a.io", Pull: policy.PullAny, ConfTable: true, Origin: at(4, 2)},
			{Source: "b.io", Pull: policy.PullAny, ConfTable: true, Origin: at(2, 1)},
		}, 1},
		{"a drop-in comes after the table that it replaces", []string{
			"[[registry]]\nlocation = \"a.io\"\nblocked = true\n[[registry.mirror]]\nlocation = \"m.io\"\n[[registry]]\nlocation = \"b.io\"\n",
			"\n[[registry]]\nlocation = \"a.io\"\n",
			"\n\n[[registry]]\nlocation = \"a.io\"\n",
		}, []policy.Rule{
			{Source: "a.io", Mirrors: mirrors("m.io"), Pull: policy.PullAny, ConfTable: true, NeverContactSource: true, Origin: at(1, 1)},
			{Source: "b.io", Pull: policy.PullAny, ConfTable: true, Origin: at(6, 2)},
			{Source: "a.io", Pull: policy.PullAny, ConfTable: true, DropIn: true, Origin: at(3, 1)},
		}, 0},
		{"inline tables have no lines", []string{`registry = [{location = "a.io", mirror = [{location = "m.io"}]}]`},
			[]policy.Rule{{Source: "a.io", Mirrors: mirrors("m.io"), Pull: policy.PullAny, ConfTable: true, Origin: where + " [[registry]]#1"}}, 0},
		{"a byte order mark", []string{"\ufeff[[registry]]\nlocation = \"a.io\"\n[[registry]]\nlocation = \"b.io\"\n"}, []policy.Rule{
			{Source: "a.io", Pull: policy.PullAny, ConfTable: true, Origin: at(1, 1)},
			{Source: "b.io", Pull: policy.PullAny, ConfTable: true, Origin: at(3, 2)},
		}, 0},
		{"keys that nothing knows", []string{"surprise = 1\n[[registry]]\nlocation = \"a.io\"\nbloked = true\n[[registry.mirror]]\nlocation = \"m.io\"\ndigest-only = true\n"},
			[]policy.Rule{{Source: "a.io", Mirrors: mirrors("m.io"), Pull: policy.PullAny, ConfTable: true, Origin: at(2, 1)}}, 3},
		{"namespace-proxy", []string{"[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\nnamespace-proxy = \"a.io\"\n"},
			[]policy.Rule{{Source: "a.io", Mirrors: mirrors("m.io"), Pull: policy.PullAny, ConfTable: true, Origin: at(1, 1)}}, 1},
		{"spellings of two tables", []string{"[[registry]]\nlocation = \"a.io\"\n[[registry]]\nLocation = \"b.io\"\n"}, []policy.Rule{
			{Source: "a.io", Pull: policy.PullAny, ConfTable: true, Origin: at(1, 1)},
			{Source: "b.io", Pull: policy.PullAny, ConfTable: true, Origin: at(3, 2)},
		}, 0},
		{"an empty section of version 1", []string{"[registries.search]\n"}, nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := decode(t, tc.texts...)
			if diff := cmp.Diff(tc.want, got.Rules); diff != "" {
				t.Error(diff)
			}
			if len(got.Warnings) != tc.warnings {
				t.Errorf("%d warnings, want %d: %+v", len(got.Warnings), tc.warnings, got.Warnings)
			}
		})
	}
}

func TestInvalid(t *testing.T) {
	table := func(more string) string { return "[[registry]]\nlocation = \"a.io\"\n" + more }
	for _, tc := range []struct {
		name, text, origin, says string
	}{
		{"no location", "[[registry]]\nblocked = true\n", at(1, 1), "neither location nor prefix"},
		{"prefix alone", "[[registry]]\nprefix = \"a.io\"\n", at(1, 1), "needs a location"},
		{"scheme", "[[registry]]\nlocation = \"https://a.io\"\n", at(1, 1), "scheme"},
		{"scheme of a mirror", table("[[registry.mirror]]\nlocation = \"http://m.io\"\n"), at(1, 1), "mirror 1"},
		{"mirror without location", table("[[registry.mirror]]\ninsecure = true\n"), at(1, 1), "no location"},
		{"unknown pull", table("[[registry.mirror]]\nlocation = \"m.io\"\npull-from-mirror = \"digest\"\n"), at(1, 1), "digest-only"},
		{"two restrictions", table("mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = \"m.io\"\npull-from-mirror = \"all\"\n"), at(1, 1), "keep one"},
		{"pull of the registry", table("pull-from-mirror = \"all\"\n"), at(1, 1), "[[registry.mirror]]"},
		{"wildcard with a path", "[[registry]]\nprefix = \"*.a.io/x\"\n", at(1, 1), "host alone"},
		{"wildcard with a port", "[[registry]]\nlocation = \"*.a.io:5000\"\n", at(1, 1), "host alone"},
		{"conflict of insecure", table("[[registry]]\nprefix = \"b.io\"\nlocation = \"a.io\"\ninsecure = true\n"), at(3, 2), "insecure"},
		{"conflict of blocked", table("blocked = true\n[[registry]]\nprefix = \"b.io\"\nlocation = \"a.io\"\n"), at(4, 2), "blocked"},
		{"version 1", "[registries.search]\nregistries = ['a.io']\n", where, "version 1"},
		{"version 1, blocked", "[registries.block]\nregistries = []\n", where, "version 1"},
		{"syntax", "[[registry]]\nlocation = \"a.io\n", where + ":2", ""},
		{"cut off", "[[registry]]\nlocation = \"a.io\"\n[[registry.mir", where + ":3", ""},
		{"type", "[[registry]]\nlocation = \"a.io\"\ninsecure = \"yes\"\n", at(1, 1), "insecure must be true or false, not a string"},
		{"type of the table", "registry = 1\n", where, "line 1"},
		{"one key, two spellings", table("blocked = true\nBlocked = false\n"), where, "same key"},
		{"one table, two spellings", table("[[Registry]]\nlocation = \"b.io\"\n"), where, "same key"},
		{"an alias with a tag", "[aliases]\nx = 'a.io/x:1'\n", where, `the alias "x" = "a.io/x:1": a tag has no place here`},
		{"an alias with a digest", "[aliases]\nx = 'a.io/x@sha256:" + strings.Repeat("0", 64) + "'\n", where, "a digest has no place here"},
		{"an alias without a registry", "[aliases]\nx = 'library/x'\n", where, "want REGISTRY/REPOSITORY"},
		{"an alias of what is no short name", "[aliases]\n'a.io/x' = 'a.io/x'\n", where, "a short name has no registry"},
		{"an alias that is a number", "[aliases]\nx = 1\n", where, `the alias "x" must be a string, not a number`},
		{"a search registry with a path", "unqualified-search-registries = ['a.io/x']\n", where, `the entry "a.io/x"; want HOST or HOST:PORT`},
		{"a search registry with a scheme", "unqualified-search-registries = ['https://a.io']\n", where, "has a scheme"},
		{"search registries as a string", "unqualified-search-registries = 'a.io'\n", where, "must be a list of strings, not a string"},
		{"a misspelt mode", "short-name-mode = 'enforced'\n", where, "want enforcing, permissive or disabled"},
		{"not UTF-8", "[[registry]]\nlocation = \"\xff\"\n", where, "UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Decode(where, []byte(tc.text))
			wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
			if !ok {
				t.Fatalf("got %v, want an InvalidPolicyError", err)
			}
			if wrong.Origin != tc.origin || !strings.Contains(wrong.Err.Error(), tc.says) || strings.Contains(err.Error(), "registriesconf.") {
				t.Errorf("got origin %q and %q, want %q and something with %q", wrong.Origin, wrong.Err, tc.origin, tc.says)
			}
		})
	}
}

// FuzzDecode checks that whatever is accepted is accepted by policy.NewRules
// too, which judges the tables once more.
func FuzzDecode(f *testing.F) {
	f.Add("[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\npull-from-mirror = \"tag-only\"\n")
	f.Add("[[registry]]\nprefix = \"*.a.io\"\nblocked = true\n[[registry]]\nprefix = \"b.io\"\nlocation = \"c.io/\"\ninsecure = true\n")
	f.Add("registry = [{location = \"a.io\", mirror-by-digest-only = true, mirror = [{location = \"m.io\"}]}]")
	f.Add("[registries.search]\nregistries = ['a.io']\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Decode(where, []byte(text))
		if err != nil {
			if wrong, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || !strings.HasPrefix(wrong.Origin, where) {
				t.Fatalf("%q: %v says not where", text, err)
			}
			return
		}
		var p policy.Policy
		c.AddTo(&p)
		for _, r := range p.Rules {
			if r.Source == "" || !r.ConfTable || !strings.HasPrefix(r.Origin, where) {
				t.Fatalf("%q: rule %+v", text, r)
			}
		}
		if _, err := policy.NewRules(policy.RulesConfig{}, p); err != nil {
			t.Fatalf("%q: accepted, and NewRules says %v", text, err)
		}
	})
}

package peers

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.podman.io/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/policy"
)

var (
	sets = flag.Int("sets", 300, "how many random policy sets to ask the peers about")
	seed = flag.Uint64("seed", 1, "of the first set; each further one has the next")
)

// TestPeers asks nodes' own code and ours about random policy sets, and wants no
// difference: sets refused, images that cannot be rewritten, candidates with
// their order and flags, refusals.
func TestPeers(t *testing.T) {
	seen := coverage{}
	root := t.TempDir()
	for i := range *sets {
		s := newGenerator(*seed + uint64(i)).set()
		dir := filepath.Join(root, fmt.Sprint(i))
		differences := compare(t, dir, s, seen)
		if len(differences) > 0 {
			t.Errorf("set of seed %d:\n%s\n%s", *seed+uint64(i), strings.Join(differences, "\n"), describe(dir, s))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		sysregistriesv2.InvalidateCache()
		if t.Failed() && i > 200 {
			break
		}
	}
	seen.report(t, *sets)
}

func compare(t *testing.T, dir string, s *policySet, seen coverage) []string {
	seen.set(s)
	n, nodeErr := newNode(t, dir, s)
	writeObjects(t, dir, s)
	policies, err := read(t, dir, s)
	var r *policy.Rules
	if err == nil {
		r, err = newRules(s, policies)
	}
	if (nodeErr == nil) != (err == nil) {
		return []string{fmt.Sprintf("nodes: %v\nours:  %v", nodeErr, err)}
	}
	if err != nil {
		seen.refusedSet(nodeErr)
		return nil
	}
	seen.node(s, n, policies)
	var differences []string
	second := handedOn(t, r)
	if second.Version() != r.Version() {
		differences = append(differences, "another version when the rules are handed on")
	}
	for _, image := range s.images {
		ref, err := normalize(image)
		if err != nil {
			continue // a source that is no part of any reference
		}
		seen.add("images asked about")
		want, err := n.ask(ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ask(r, image)
		if err != nil {
			differences = append(differences, fmt.Sprintf("%s: %v", image, err))
			continue
		}
		if !reflect.DeepEqual(got, want) {
			differences = append(differences, fmt.Sprintf("%s\nnodes: %+v\nours:  %+v", image, want, got))
		}
		if handed, err := ask(second, image); err != nil || !reflect.DeepEqual(handed, got) {
			differences = append(differences, fmt.Sprintf("%s\nours:      %+v\nhanded on: %+v, %v", image, got, handed, err))
		}
		seen.answer(s, ref.String(), want)
	}
	if v := shuffled(s, policies).Version(); !s.slashes() && v != r.Version() {
		differences = append(differences, "another version when objects are shuffled")
	}
	return differences
}

// shuffled makes rules of the same objects in another order. The tables of
// registries.conf keep theirs.
func shuffled(s *policySet, policies []policy.Policy) *policy.Rules {
	rng := rand.New(rand.NewPCG(7, 7))
	var tables, rest policy.Policy // of registries.conf, drop-ins included, and of the others
	for _, p := range policies {
		for _, r := range p.Rules {
			if r.ConfTable {
				tables.Rules = append(tables.Rules, r)
			} else {
				r.Origin = "elsewhere"
				rest.Rules = append(rest.Rules, r)
			}
		}
		rest.Insecure = append(rest.Insecure, p.Insecure...)
		rest.Blocked = append(rest.Blocked, p.Blocked...)
	}
	rng.Shuffle(len(rest.Rules), func(i, j int) { rest.Rules[i], rest.Rules[j] = rest.Rules[j], rest.Rules[i] })
	rng.Shuffle(len(rest.Blocked), func(i, j int) { rest.Blocked[i], rest.Blocked[j] = rest.Blocked[j], rest.Blocked[i] })
	rng.Shuffle(len(rest.Insecure), func(i, j int) { rest.Insecure[i], rest.Insecure[j] = rest.Insecure[j], rest.Insecure[i] })
	r, err := newRules(s, []policy.Policy{rest, tables})
	if err != nil {
		return &policy.Rules{}
	}
	return r
}

// slashes tells whether a scope is also written with a slash at its end: nodes
// take the first of the two, and the order of objects decides.
func (s *policySet) slashes() bool {
	return slices.ContainsFunc(append(s.insecure, s.blocked...), func(n string) bool { return strings.HasSuffix(n, "/") })
}

func describe(dir string, s *policySet) string {
	var b strings.Builder
	for _, f := range []string{"registries.conf", "registries.conf.d/00.conf", "registries.conf.d/01.conf", "edited/registries.conf", "objects.yaml"} {
		if text, err := os.ReadFile(filepath.Join(dir, f)); err == nil {
			fmt.Fprintf(&b, "--- %s\n%s", f, text)
		}
	}
	fmt.Fprintf(&b, "tagsFollow %v, for any pull: %q\n", s.tagsFollow, s.any)
	return b.String()
}

// coverage counts what came up, so that a test that asks about nothing fails.
type coverage map[string]int

func (c coverage) add(what string) { c[what]++ }

func (c coverage) addIf(what string, yes bool) {
	if yes {
		c[what]++
	}
}

func (c coverage) report(t *testing.T, sets int) {
	for _, what := range slices.Sorted(maps.Keys(c)) {
		t.Logf("%7d %s", c[what], what)
	}
	if sets < 300 {
		return
	}
	for _, what := range classes {
		if c[what] == 0 {
			t.Errorf("no set with: %s", what)
		}
	}
}

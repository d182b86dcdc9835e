package check_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// lacking lets each host lack images whose digest ends with one of the digits given.
func lacking(digits map[string]string) func(imageref.Ref, int) error {
	return func(ref imageref.Ref, _ int) error {
		if d := ref.Digest(); strings.Contains(digits[ref.Registry()], d[len(d)-1:]) {
			return failing(provider.ClassNotFound)
		}
		return nil
	}
}

// As nodes ask, the second mirror is asked for what the first one lacks, and the matrix
// says what it was not asked for. With All everybody is asked for everything, at once.
func TestMatrix(t *testing.T) {
	for name, c := range map[string]struct {
		all, sources bool
		want         []check.Column
		requests     int
	}{
		"as nodes ask": {false, false, []check.Column{
			{Name: first, Mirror: true, Has: 28, Lacks: 4},
			{Name: second, Mirror: true, Has: 2, Lacks: 2, NotAsked: 28},
			{Name: source, NotAsked: 32},
		}, 32 + 4},
		"all mirrors": {true, false, []check.Column{
			{Name: first, Mirror: true, Has: 28, Lacks: 4},
			{Name: second, Mirror: true, Has: 26, Lacks: 6},
			{Name: source, NotAsked: 32},
		}, 64},
		"all mirrors and sources": {true, true, []check.Column{
			{Name: first, Mirror: true, Has: 28, Lacks: 4},
			{Name: second, Mirror: true, Has: 26, Lacks: 6},
			{Name: source, Has: 32},
		}, 96},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{takes: 10 * time.Millisecond, answer: lacking(map[string]string{first: "12", second: "2ab"})}
				start := time.Now()
				results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rules(t, first, second), All: c.all, Sources: c.sources}, items(32))
				if err != nil {
					t.Fatal(err)
				}
				m := check.NewMatrix(results)
				if !slices.Equal(m.Columns, c.want) {
					t.Errorf("got  %+v\nwant %+v", m.Columns, c.want)
				}
				if n := a.asked[first] + a.asked[second] + a.asked[source]; n != c.requests || a.most[second] > 16 {
					t.Errorf("%d requests, want %d; %v at once", n, c.requests, a.most)
				}
				if took := time.Since(start); c.all && took != 20*time.Millisecond { // 32 in turns of 16, whatever the number of mirrors
					t.Errorf("took %s", took)
				}
				both := m.Row(results[2])
				if both[0].State() != check.Lacks || both[1].State() != check.Lacks {
					t.Errorf("%+v", both)
				}
				if missing := results[2].Missing(); missing == c.sources {
					t.Errorf("missing: %t", missing)
				}
				if c.all && (results[0].Found.From.Registry() != first || results[0].At[1].Digest != results[0].Image.Digest()) {
					t.Errorf("%+v", results[0])
				}
			})
		})
	}
}

// One mirror registry may hold an image in two places; then these are two columns.
func TestMatrixOfOneRegistry(t *testing.T) {
	p := policy.Policy{Rules: []policy.Rule{{Source: source + "/ocp", Kind: policy.KindMirror, Pull: policy.PullDigest, Mirrors: []policy.Mirror{
		{Location: first + "/a"}, {Location: first + "/b/c"},
	}}}}
	rs, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	a := &answers{answer: func(ref imageref.Ref, _ int) error {
		if ref.Repository() == "a/art" {
			return failing(provider.ClassUnreachable)
		}
		return nil
	}}
	results, err := check.Run(t.Context(), check.Config{Head: a, Rules: rs, All: true}, items(3))
	if err != nil {
		t.Fatal(err)
	}
	want := []check.Column{{Name: first + "/a", Mirror: true, Failed: 3}, {Name: first + "/b/c", Mirror: true, Has: 3}, {Name: source, NotAsked: 3}}
	if got := check.NewMatrix(results).Columns; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

package operator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

func TestContains(t *testing.T) {
	type m = map[string]any
	type l = []any
	have := m{"a": int64(1), "b": m{"c": "x", "d": true}, "e": l{m{"n": "1", "extra": "y"}, m{"n": "2"}}}
	for name, c := range map[string]struct {
		want any
		is   bool
	}{
		"nothing":          {m{}, true},
		"some":             {m{"b": m{"c": "x"}}, true},
		"lists":            {m{"e": l{m{"n": "1"}, m{"n": "2"}}}, true},
		"another value":    {m{"a": int64(2)}, false},
		"another type":     {m{"a": "1"}, false},
		"missing":          {m{"z": "x"}, false},
		"missing below":    {m{"b": m{"z": m{}}}, false},
		"order of a list":  {m{"e": l{m{"n": "2"}, m{"n": "1"}}}, false},
		"length of a list": {m{"e": l{m{"n": "1"}}}, false},
		"list for map":     {m{"b": l{}}, false},
		"map for list":     {m{"e": m{}}, false},
	} {
		if got := contains(have, c.want, false); got != c.is {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestSetCondition(t *testing.T) {
	var all []metav1.Condition
	c := metav1.Condition{Type: "T", Status: metav1.ConditionFalse, Reason: "R", Message: strings.Repeat("ä", maxMessage)}
	if !SetCondition(&all, 3, c) {
		t.Error("a new condition is no change")
	}
	if got := all[0]; len(got.Message) > maxMessage || !strings.HasSuffix(got.Message, "ä ...") || got.ObservedGeneration != 3 {
		t.Errorf("got %d bytes that end %q, generation %d", len(got.Message), got.Message[len(got.Message)-8:], got.ObservedGeneration)
	}
	if SetCondition(&all, 3, c) {
		t.Error("the same condition is a change")
	}
	if !SetCondition(&all, 4, c) {
		t.Error("another generation is no change")
	}
}

func TestTagsFollow(t *testing.T) {
	var now *policy.Rules
	follow := TagsFollow(func() *policy.Rules { return now })
	if follow() != nil {
		t.Error("rules are made of none")
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: "quay.io/x", Mirrors: []policy.Mirror{{Location: "m.example.com/x"}}, Origin: "idms/a#1",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	now = rules
	tag := imageref.MustParse("quay.io/x/y:1")
	for who, c := range map[string]struct {
		rules *policy.Rules
		want  string
	}{
		"followed": {follow(), "m.example.com/x/y:1 quay.io/x/y:1"},
		"as given": {rules, "quay.io/x/y:1"},
	} {
		cands, err := c.rules.Candidates(tag)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range cands {
			got = append(got, c.Ref.String())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", who, got, c.want)
		}
	}
	if first := follow(); first != follow() {
		t.Error("worked out twice for one snapshot")
	}
}

// down is a source that is away until up.
type down struct{ up bool }

func (*down) Name() string { return "away" }

func (d *down) Load(context.Context) (policy.Policy, error) {
	if d.up {
		return policy.Policy{}, nil
	}
	return policy.Policy{}, errors.New("refused")
}

func TestReadiness(t *testing.T) {
	src := &down{}
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, src, sources.Static("flags", policy.Policy{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := readiness(r)(nil); err == nil || err.Error() != "source away: refused" {
		t.Errorf("got %v while a source is away", err)
	}
	src.up = true
	if r, err = sources.NewResolver(t.Context(), sources.ResolverConfig{}, src); err != nil {
		t.Fatal(err)
	}
	if err := readiness(r)(nil); err != nil {
		t.Errorf("not ready though all is well: %v", err)
	}
}

// An operator's metrics are there as long as it runs, so that the next one in the
// process can register its own.
func TestReport(t *testing.T) {
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, sources.Static("flags", policy.Policy{}))
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	own := func() prometheus.Collector {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "own_total", Help: "Of the operator."})
	}
	wantRemaining := func(want int) {
		t.Helper()
		if n, err := testutil.GatherAndCount(reg); n != want || err != nil {
			t.Errorf("%d metrics are left, want %d: %v", n, want, err)
		}
	}
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- report(ctx, r, reg, own()) }()
			synctest.Wait()
			if n, err := testutil.GatherAndCount(reg, "mirrorchain_rules_info", "own_total"); n != 2 || err != nil {
				t.Errorf("%d of 2 metrics: %v", n, err)
			}
			if err := report(ctx, r, reg); err == nil {
				t.Error("two at once")
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		wantRemaining(0)
	}
	reg.MustRegister(own())
	if err := report(t.Context(), r, reg, own()); err == nil {
		t.Error("a metric that is there already")
	}
	wantRemaining(1)
}

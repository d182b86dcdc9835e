package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/metrics"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// world is a chain whose base has images at the hosts that are up.
type world struct {
	down map[string]error
}

func (w *world) lookup(_ context.Context, req provider.Request) (*provider.Release, error) {
	if err := w.down[req.Image.Registry()]; err != nil {
		return nil, err
	}
	return provider.NewRelease(provider.ReleaseData{
		Version: "4.17.3", Digest: "sha256:" + strings.Repeat("1", 64), Image: req.Image, PulledFrom: req.Image,
	})
}

func start(t *testing.T, w *world, reg prometheus.Registerer) *chain.Chain {
	t.Helper()
	return startWith(t, w, reg, policy.Rule{
		Source: "source.test/ocp", Kind: policy.KindMirror, Pull: policy.PullDigest,
		Mirrors: []policy.Mirror{{Location: "first.test/ocp"}, {Location: "second.test/ocp"}},
	})
}

func startWith(t *testing.T, w *world, reg prometheus.Registerer, rule policy.Rule) *chain.Chain {
	t.Helper()
	o, err := metrics.New(reg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Unregister)
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{rule}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := chain.New(provider.ReleaseFunc(w.lookup), func() *policy.Rules { return rules },
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{o}}), chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{Retries: -1}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ask(t *testing.T, c *chain.Chain, image string) {
	t.Helper()
	_, _ = c.Lookup(t.Context(), provider.Request{Image: imageref.MustParse(image)})
}

const image = "source.test/ocp/release@sha256:1111111111111111111111111111111111111111111111111111111111111111"

func want(t *testing.T, reg *prometheus.Registry, lines ...string) {
	t.Helper()
	got := make(map[string]string)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			n := m.GetCounter().GetValue()
			if h := m.GetHistogram(); h != nil {
				n = float64(h.GetSampleCount())
			}
			got[name] = fmt.Sprint(n)
		}
	}
	for _, line := range lines {
		name, n, _ := strings.Cut(line, " = ")
		if got[name] != n {
			t.Errorf("%s is %q, want %s\nall: %v", name, got[name], n, got)
		}
	}
}

func TestCounts(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	away := &provider.Error{Class: provider.ClassUnreachable, Err: errors.New("away")}
	none := &provider.Error{Class: provider.ClassNotFound, Err: errors.New("none")}
	w := &world{down: map[string]error{"first.test": away}}
	c := start(t, w, reg)
	ask(t, c, image) // the second mirror
	ask(t, c, image) // the cache
	w.down = map[string]error{"first.test": away, "second.test": none}
	ask(t, c, strings.Replace(image, "release", "other", 1)) // the source
	w.down["source.test"] = none
	ask(t, c, strings.Replace(image, "release", "nowhere", 1))
	want(t, reg,
		"mirrorchain_lookups_total ok = 3",
		"mirrorchain_lookups_total unreachable = 1",
		"mirrorchain_lookups_total digest = 0",
		"mirrorchain_lookup_duration_seconds = 4",
		"mirrorchain_served_total mirror = 2",
		"mirrorchain_served_total source = 1",
		"mirrorchain_attempts_total mirror ok = 1",
		"mirrorchain_attempts_total source ok = 1",
		"mirrorchain_attempts_total mirror unreachable = 3",
		"mirrorchain_attempts_total mirror not-found = 2",
		"mirrorchain_attempts_total source not-found = 1",
		"mirrorchain_attempts_total mirror digest = 0",
		"mirrorchain_attempt_duration_seconds mirror = 6",
		"mirrorchain_attempt_duration_seconds source = 2",
		"mirrorchain_cache_total hit = 1",
		"mirrorchain_cache_total miss = 3",
	)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// A second observer on the same registry is an error that leaves the first alone; one
// that was unregistered makes room.
func TestRegistration(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	o, err := metrics.New(reg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := metrics.New(reg); err == nil {
		t.Error("registered twice")
	}
	o.Unregister()
	if second, err := metrics.New(reg); err != nil {
		t.Error(err)
	} else {
		second.Unregister()
	}
	loose, err := metrics.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	loose.Unregister() // from nowhere
	if n, err := testutil.GatherAndCount(reg); n != 0 || err != nil {
		t.Errorf("%d metrics are left: %v", n, err)
	}
}

// However many images are looked up, as many series as before are there.
func TestSeriesAreBounded(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	w := &world{down: map[string]error{"first.test": &provider.Error{Class: provider.ClassUnreachable}}}
	c := start(t, w, reg)
	before, err := testutil.GatherAndCount(reg)
	if err != nil || before == 0 {
		t.Fatal(before, err)
	}
	for i := range 1000 {
		ask(t, c, fmt.Sprintf("host-%d.test/repo-%[1]d/image@sha256:%064[1]x", i))
		ask(t, c, fmt.Sprintf("source.test/ocp/image-%d@sha256:%064[1]x", i))
	}
	want(t, reg, "mirrorchain_lookups_total ok = 2000", "mirrorchain_served_total source = 1000")
	if after, err := testutil.GatherAndCount(reg); after != before || err != nil {
		t.Errorf("%d series, and %d after 2000 images: %v", before, after, err)
	}
}

// Where policies forbid the source, a lookup counts as what its mirror failed with. It
// counts as forbidden only where nothing could be asked.
func TestForbiddenSource(t *testing.T) {
	rule := policy.Rule{
		Source: "source.test/ocp", Kind: policy.KindMirror, Pull: policy.PullDigest, NeverContactSource: true,
		Mirrors: []policy.Mirror{{Location: "first.test/ocp"}},
	}
	for _, class := range []provider.Class{
		provider.ClassTLS, provider.ClassUnreachable, provider.ClassUnauthorized,
		provider.ClassNotFound, provider.ClassServer, provider.ClassTimeout,
	} {
		reg := prometheus.NewPedanticRegistry()
		w := &world{down: map[string]error{"first.test": &provider.Error{Class: class, Err: errors.New("it fails")}}}
		c := startWith(t, w, reg, rule)
		ask(t, c, image)
		want(t, reg, fmt.Sprintf("mirrorchain_lookups_total %s = 1", class), "mirrorchain_lookups_total forbidden = 0")
	}
	reg := prometheus.NewPedanticRegistry()
	ask(t, startWith(t, &world{}, reg, rule), "source.test/ocp/release:4.17.3")
	want(t, reg, "mirrorchain_lookups_total forbidden = 1")
}

package provider_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// dice makes random policies from small alphabets, so that they collide with
// themselves. Every third is odd somewhere; few of those that no node would load.
type dice struct {
	*rand.Rand
	odd bool
}

func throw(seed uint64) dice {
	d := dice{Rand: rand.New(rand.NewPCG(seed, 7))}
	d.odd = d.chance(33)
	return d
}

func (d dice) chance(percent int) bool      { return d.IntN(100) < percent }
func (d dice) of(from ...string) string     { return from[d.IntN(len(from))] }
func (d dice) origin(what string) string    { return fmt.Sprintf("%s/%d", what, d.IntN(4)) }
func (d dice) pull() provider.PullBy        { return provider.PullBy(d.IntN(3)) }
func (d dice) some(most int, f func(i int)) { d.times(d.IntN(most+1), f) }
func (d dice) times(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

func (d dice) place() string {
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
	return d.place()
}

func (d dice) scopes() (out []provider.Scope) {
	d.some(2, func(int) {
		out = append(out, provider.Scope{Name: d.source(), Origin: d.origin("image")})
	})
	return out
}

func (d dice) mirrors(source string) (out []provider.Mirror) {
	d.some(3, func(int) {
		m := provider.Mirror{Location: d.place()}
		if d.chance(8) {
			m.Location = source // among its own mirrors
		}
		out = append(out, m)
	})
	return out
}

func (d dice) table() (out []provider.Rule) {
	r := provider.Rule{Source: d.source(), Literal: true, Pull: provider.PullAny, Origin: d.origin("conf")}
	r.NeverContactSource, r.Insecure, r.DigestOnly = d.chance(15), d.chance(15), d.chance(5)
	if d.chance(15) {
		r.Location = d.source()
	}
	if r.DigestOnly {
		r.Pull, r.Mirrors = provider.PullDigest, d.mirrors(r.Source)
		return []provider.Rule{r}
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

func (d dice) policies() (out []provider.Policy) {
	d.times(1+d.IntN(3), func(i int) {
		var p provider.Policy
		d.some(4, func(int) {
			r := provider.Rule{Source: d.source(), Pull: d.pull(), NeverContactSource: d.chance(20), Origin: d.origin("set")}
			r.Mirrors = d.mirrors(r.Source)
			p.Rules = append(p.Rules, r)
		})
		if d.chance(30) {
			d.some(3, func(int) { p.Rules = append(p.Rules, d.table()...) })
		}
		if d.chance(30) {
			d.some(2, func(int) { p.Rules = append(p.Rules, override(d.place(), d.place())) })
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

func (d dice) config() provider.RulesConfig {
	return provider.RulesConfig{TagsFollowDigestRules: d.chance(30), Strict: d.chance(10)}
}

// images are references in, above and beside what policies name.
func (d dice) images(policies []provider.Policy) (out []imageref.Ref) {
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
			for _, pull := range []string{":t", sha} {
				if ref, err := imageref.Parse(name + tail + pull); err == nil {
					out = append(out, ref)
				}
			}
		}
	}
	return out
}

// answer is all that rules say about a reference, comparable in depth.
type answer struct {
	resolution provider.Resolution
	candidates []provider.Candidate
	rewritten  imageref.Ref
	errs       [2]provider.RewriteError
}

func answerOf(t *testing.T, r *provider.Rules, ref imageref.Ref) (a answer) {
	t.Helper()
	var errs [2]error
	a.resolution, errs[0] = r.Resolve(ref)
	a.candidates, errs[1] = r.Candidates(ref)
	a.rewritten = r.Rewrite(ref)
	for i, err := range errs {
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*provider.RewriteError](err)
		if !ok {
			t.Fatal(err)
		}
		a.errs[i] = *e
		a.errs[i].Err = errors.New(e.Err.Error())
	}
	if len(a.candidates) == 0 {
		a.candidates = nil
	}
	return a
}

// same fails unless both rules answer alike, explanations included.
func same(t *testing.T, what string, want, got *provider.Rules, images []imageref.Ref) {
	t.Helper()
	if want.Version() != got.Version() {
		t.Errorf("%s: version %s, want %s", what, got.Version(), want.Version())
	}
	if w, g := slices.Collect(want.Merged()), slices.Collect(got.Merged()); !reflect.DeepEqual(w, g) {
		t.Errorf("%s: merged\n%+v\nwant\n%+v", what, g, w)
	}
	if w, g := fmt.Sprint(want.Insecure(), want.Blocked()), fmt.Sprint(got.Insecure(), got.Blocked()); w != g {
		t.Errorf("%s: scopes %s, want %s", what, g, w)
	}
	for _, ref := range images {
		if w, g := answerOf(t, want, ref), answerOf(t, got, ref); !reflect.DeepEqual(w, g) {
			t.Errorf("%s: %s\n%+v\nwant\n%+v", what, ref, g, w)
		}
	}
}

// handedOn checks everything that Rules.Policy promises about one set, and
// reports whether the set loads at all.
func handedOn(t *testing.T, d dice) bool {
	policies, cfg := d.policies(), d.config()
	r, err := provider.NewRules(cfg, policies...)
	if err != nil {
		return false
	}
	images := d.images(policies)
	p := r.Policy()
	again := mustRules(t, provider.RulesConfig{}, p)
	same(t, "handed on", r, again, images)
	if q := again.Policy(); !reflect.DeepEqual(p, q) {
		t.Errorf("handed on twice:\n%+v\nwant\n%+v", q, p)
	}
	if !reflect.DeepEqual(p, r.Policy()) {
		t.Errorf("asked twice:\n%+v\nwant\n%+v", r.Policy(), p)
	}
	if cfg.TagsFollowDigestRules {
		same(t, "tags follow there too", r, mustRules(t, cfg, p), images)
	}
	// Beside a policy of nothing, and beside itself, nothing changes.
	same(t, "composed", r, mustRules(t, provider.RulesConfig{}, provider.Policy{}, p, p), images)
	for _, rule := range p.Rules {
		if !rule.Merged || rule.Kind == provider.KindMirror && !rule.Literal {
			t.Errorf("not marked: %+v", rule)
		}
	}
	return true
}

func TestPolicy(t *testing.T) {
	loaded := 0
	for seed := range uint64(500) {
		if handedOn(t, throw(seed)) {
			loaded++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if loaded < 250 {
		t.Errorf("only %d sets of 500 load", loaded)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { handedOn(t, throw(seed)) })
}

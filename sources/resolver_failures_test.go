package sources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

func TestNewResolverFails(t *testing.T) {
	wrong := newFake("wrong", rules("a.io", "m.io"))
	wrong.fail(fmt.Errorf("wrapped: %w", invalid()))
	unmergeable := newFake("unmergeable", policy.Policy{Blocked: []policy.Scope{{Name: "x.a.io", Origin: "scope"}}})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	good := newFake("good", rules("*.a.io", "m.io"))
	for _, tc := range []struct {
		name string
		ctx  context.Context
		srcs []policy.OverrideSource
		want func(error) bool
	}{
		{"an invalid source", t.Context(), []policy.OverrideSource{good, wrong}, func(err error) bool {
			_, ok := errors.AsType[*policy.InvalidPolicyError](err)
			return ok && strings.Contains(err.Error(), "wrong")
		}},
		{"sources that do not merge", t.Context(), []policy.OverrideSource{good, unmergeable}, func(err error) bool {
			return strings.Contains(err.Error(), "merging")
		}},
		{"an ended context", ended, []policy.OverrideSource{good}, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{"a nil source", t.Context(), []policy.OverrideSource{good, nil}, func(err error) bool { return true }},
	} {
		if r, err := sources.NewResolver(tc.ctx, sources.ResolverConfig{}, tc.srcs...); err == nil || r != nil || !tc.want(err) {
			t.Errorf("%s: got %v, %v", tc.name, r, err)
		}
	}
}

// With TolerateInvalid a policy that is invalid at the start, or merges with no other, is not
// loaded yet; there are rules when it is mended. A source that cannot be is an error still.
func TestInvalidWaits(t *testing.T) {
	for name, wrong := range map[string]func(*watched){
		"invalid": func(w *watched) { w.fail(invalid()) },
		"merges with no other": func(w *watched) {
			w.say(policy.Policy{Blocked: []policy.Scope{{Name: "x.a.io", Origin: "scope"}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched("wrong", rules("b.io", "n.io"))
				wrong(w)
				r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{TolerateInvalid: true}, newFake("good", rules("*.a.io", "m.io")), w)
				if err != nil {
					t.Fatal(err)
				}
				if r.Current() != nil || r.Status()[1].Err == nil {
					t.Errorf("rules %v, status %+v", r.Current(), r.Status()[1])
				}
				defer start(t, r)()
				wait(time.Minute)
				if r.Current() != nil {
					t.Error("rules without one of the sources")
				}
				w.say(rules("b.io", "n.io"))
				w.signal()
				wait(time.Minute)
				if r.Current() == nil || r.Status()[1].Err != nil {
					t.Errorf("mended, and rules are %v, status %+v", r.Current(), r.Status()[1])
				}
			})
		})
	}
	none := newFake("none", policy.Policy{})
	none.fail(&sources.SpecError{Spec: "x:", Err: errors.New("no such kind")})
	if _, err := sources.NewResolver(t.Context(), sources.ResolverConfig{TolerateInvalid: true}, none); err == nil {
		t.Error("a source that cannot be is waited for")
	}
}

// A source that is away fails nothing; there are no rules until it has come.
func TestResolverAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, away := newFake("here", rules("a.io", "m.io")), newFake("away", rules("b.io", "n.io"))
		away.fail(errAway)
		r := resolver(t, here, away)
		if r.Current() != nil {
			t.Error("rules without one of the sources")
		}
		if st := r.Status()[1]; st.Loaded || !errors.Is(st.Err, errAway) || !st.LastGood.IsZero() {
			t.Errorf("status %+v", st)
		}
		defer start(t, r)()
		wait(10 * time.Minute)
		if r.Current() != nil {
			t.Error("rules without one of the sources")
		}
		// One try at once, some while the wait grows to 30 s, then two to four a minute.
		if n := away.count(); n < 20 || n > 60 {
			t.Errorf("%d loads in ten minutes of failing", n)
		}
		away.say(rules("b.io", "n.io"))
		wait(time.Minute)
		if r.Current() == nil || tries(t, r.Current(), "b.io") != "n.io b.io" {
			t.Fatal("the source has come, and there are no rules of it")
		}
		if st := r.Status()[1]; !st.Loaded || st.Err != nil {
			t.Errorf("status %+v", st)
		}
	})
}

// Each source keeps its last good policy, whatever goes wrong with it later.
func TestResolverKeepsLastGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, other := newWatched("w", rules("a.io", "m.io")), newWatched("other", rules("b.io", "n.io"))
		r := resolver(t, w, other)
		defer start(t, r)()
		for _, err := range []error{invalid(), errAway} {
			before := r.Current()
			w.fail(err)
			w.signal()
			synctest.Wait()
			if r.Current() != before {
				t.Errorf("%v: the rules were replaced", err)
			}
			if st := r.Status()[0]; st.Err == nil || !st.Loaded || st.Rules != 1 {
				t.Errorf("%v: status %+v", err, st)
			}
			mirror := fmt.Sprintf("n%d.io", time.Now().UnixNano())
			other.say(rules("b.io", mirror))
			other.signal()
			synctest.Wait()
			if tries(t, r.Current(), "a.io") != "m.io a.io" || tries(t, r.Current(), "b.io") != mirror+" b.io" {
				t.Errorf("%v: the other source is held up, or the last good is lost", err)
			}
			wait(time.Second)
		}
		w.say(rules("a.io", "m3.io"))
		w.signal()
		synctest.Wait()
		if st := r.Status()[0]; st.Err != nil || tries(t, r.Current(), "a.io") != "m3.io a.io" {
			t.Errorf("mended: status %+v", st)
		}
	})
}

// Policies that are each right and cannot be merged: what was in force stays, the
// status of the one that changed says why, and the others go on.
func TestResolverMergeFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wild := newWatched("wild", rules("*.a.io", "m.io"))
		scope := newWatched("scope", policy.Policy{Blocked: []policy.Scope{{Name: "c.io", Origin: "scope"}}})
		other := newWatched("other", rules("b.io", "n.io"))
		r := resolver(t, wild, scope, other)
		defer start(t, r)()
		synctest.Wait()
		before := r.Current()

		// Nodes cannot render mirrors of a wildcard into a scope below it.
		scope.say(policy.Policy{Blocked: []policy.Scope{{Name: "x.a.io", Origin: "scope"}}})
		scope.signal()
		synctest.Wait()
		if r.Current() != before {
			t.Error("policies that do not merge replaced the rules")
		}
		st := r.Status()
		if st[0].Err != nil || st[1].Err == nil || st[2].Err != nil {
			t.Errorf("want an error of the second source alone, got %v, %v, %v", st[0].Err, st[1].Err, st[2].Err)
		}

		other.say(rules("b.io", "n2.io"))
		other.signal()
		synctest.Wait()
		if got := tries(t, r.Current(), "b.io"); got != "n2.io b.io" {
			t.Errorf("another source's change is held up: tries %s", got)
		}
		if len(r.Current().Blocked()) != 1 || r.Current().Blocked()[0].Name != "c.io" {
			t.Errorf("the last good scopes are not in force: %v", r.Current().Blocked())
		}
		if st := r.Status(); st[1].Err == nil || st[2].Err != nil {
			t.Errorf("want an error of the second source alone, got %v, %v", st[1].Err, st[2].Err)
		}

		wild.say(rules("a.io", "m.io")) // the other side of the conflict gives way
		wild.signal()
		synctest.Wait()
		if st := r.Status(); st[0].Err != nil || st[1].Err != nil || r.Current().Blocked()[0].Name != "x.a.io" {
			t.Errorf("the conflict is over: status %v, %v, blocked %v", st[0].Err, st[1].Err, r.Current().Blocked())
		}
	})
}

// One edit that can never merge holds up none of the others, whatever the order in
// which they are seen: an edit that merges only after another one is tried again,
// and so are two that merge only together.
func TestResolverOneBadEdit(t *testing.T) {
	blocked := func(scope string) policy.Policy {
		return policy.Policy{Blocked: []policy.Scope{{Name: scope, Origin: "scope"}}}
	}
	// Two that are pulled from one place have to agree on whether it is forbidden.
	at := func(never bool) policy.Policy {
		return policy.Policy{Rules: []policy.Rule{{Source: "p.io", Location: "r.io", ConfTable: true, NeverContactSource: never, Origin: "table"}}}
	}
	policyWith := func(never bool) policy.Policy {
		p := rules("r.io", "m.io")
		p.Rules[0].NeverContactSource = never
		return p
	}
	for _, test := range []struct {
		name          string
		before, after []policy.Policy // of good sources; a bad edit goes with them
	}{
		{"one after the other", []policy.Policy{rules("b.io", "m.io"), rules("*.a.io", "m.io")}, []policy.Policy{blocked("x.a.io"), rules("a.io", "m.io")}},
		{"two together", []policy.Policy{at(false), policyWith(false)}, []policy.Policy{at(true), policyWith(true)}},
	} {
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			for _, atOnce := range []bool{true, false} {
				t.Run(fmt.Sprint(test.name, order, atOnce), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						srcs := []*watched{newWatched("first", test.before[0]), newWatched("second", test.before[1]), newWatched("bad", rules("c.io", "m.io"))}
						scope := newWatched("scope", blocked("x.q.io"))
						r := resolver(t, srcs[0], srcs[1], srcs[2], scope)
						defer start(t, r)()
						synctest.Wait()
						after := []policy.Policy{test.after[0], test.after[1], rules("*.q.io", "m.io")}
						for _, i := range order {
							srcs[i].say(after[i])
							if !atOnce {
								srcs[i].signal()
								synctest.Wait()
							}
						}
						for _, i := range order {
							srcs[i].signal()
						}
						synctest.Wait()
						st := r.Status()
						if st[0].Err != nil || st[1].Err != nil || st[2].Err == nil || st[3].Err != nil {
							t.Errorf("want an error of the third source alone, got %v, %v, %v, %v", st[0].Err, st[1].Err, st[2].Err, st[3].Err)
						}
						want, err := policy.NewRules(policy.RulesConfig{}, after[0], after[1], rules("c.io", "m.io"), blocked("x.q.io"))
						if err != nil {
							t.Fatal(err)
						}
						if r.Current().Version() != want.Version() {
							t.Error("other rules are in force than those of the good edits")
						}
					})
				})
			}
		}
	}
}

// Loaded one after another, the sources turn out not to merge at all.
func TestResolverNeverMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wild := newFake("wild", rules("*.a.io", "m.io"))
		scope := newWatched("scope", policy.Policy{Blocked: []policy.Scope{{Name: "x.a.io", Origin: "scope"}}})
		scope.fail(errAway)
		r := resolver(t, wild, scope)
		defer start(t, r)()
		scope.say(scope.policy)
		wait(time.Minute)
		if r.Current() != nil {
			t.Fatal("rules of policies that do not merge")
		}
		for _, st := range r.Status() {
			if st.Err == nil || !st.Loaded {
				t.Errorf("status %+v", st)
			}
		}
	})
}

func TestResolverWatchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("w", rules("a.io", "m.io"))
		r := resolver(t, w)
		defer start(t, r)()
		synctest.Wait()
		w.events <- errors.New("watch expired")
		synctest.Wait()
		if st := r.Status()[0]; st.WatchErr == nil || st.Err != nil {
			t.Errorf("status %+v", st)
		}
		w.say(rules("a.io", "m2.io")) // while nobody watches
		wait(time.Minute)
		if got := tries(t, r.Current(), "a.io"); got != "m2.io a.io" {
			t.Errorf("a change between two watches is lost: tries %s", got)
		}
		if st := r.Status()[0]; st.WatchErr != nil {
			t.Errorf("it watches again, and the status says %v", st.WatchErr)
		}
		if n := len(w.watches); n != 2 {
			t.Errorf("%d watches, want 2", n)
		}
	})
}

// One source that hangs delays nobody but those who need it.
func TestResolverHangingLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, fine := newFake("hung", rules("a.io", "m.io")), newWatched("fine", rules("b.io", "n.io"))
		r := resolver(t, hung, fine)
		defer start(t, r)()
		synctest.Wait()
		hung.mu.Lock()
		hung.hang = true
		hung.mu.Unlock()
		wait(sources.DefaultPoll) // now it hangs
		fine.say(rules("b.io", "n2.io"))
		fine.signal()
		synctest.Wait()
		if got := tries(t, r.Current(), "b.io"); got != "n2.io b.io" {
			t.Errorf("held up by another source: tries %s", got)
		}
		wait(time.Minute)
		if st := r.Status()[0]; !errors.Is(st.Err, context.DeadlineExceeded) {
			t.Errorf("status %+v", st)
		}
	})
}

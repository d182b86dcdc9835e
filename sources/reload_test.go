package sources_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Reload sees what was said before it was called, whether the sources are followed or not.
func TestReload(t *testing.T) {
	for _, followed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := newFake("a", rules("a.example", "one.example")), newFake("b", rules("b.example", "one.example"))
			r := resolver(t, a, b)
			if followed {
				defer start(t, r)()
				synctest.Wait()
			}
			reload := func(want string) {
				t.Helper()
				err := r.Reload(t.Context())
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("Reload: %v; want %q", err, want)
				}
			}
			now := func(host, want string) {
				t.Helper()
				if got := tries(t, r.Current(), host); got != want {
					t.Errorf("%s is at %s; want %s", host, got, want)
				}
			}
			first, loads := r.Current(), a.count()
			reload("")
			if r.Current() != first || a.count() != loads+1 {
				t.Errorf("nothing changed: new rules %t, %d loads", r.Current() != first, a.count()-loads)
			}

			a.say(rules("a.example", "two.example"))
			b.fail(errors.New("no answer"))
			reload("source b: no answer")
			now("a.example", "two.example a.example")
			now("b.example", "one.example b.example")

			b.say(rules("b.example", "three.example"))
			b.fail(nil)
			reload("")
			now("b.example", "three.example b.example")

			// What does not merge is told each time, until it is mended.
			a.say(rules("*.a.example", "two.example"))
			b.say(policy.Policy{Blocked: []policy.Scope{{Name: "x.a.example", Origin: "b"}}})
			reload("source b: does not merge")
			reload("source b: does not merge")
			b.say(rules("b.example", "four.example"))
			reload("")
			now("x.a.example", "two.example x.a.example")
		})
	}
}

// Who waits for a source that hangs may leave, and what the others say is in force.
func TestReloadLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake("a", rules("a.example", "one.example")), newFake("b", rules("b.example", "one.example"))
		r := resolver(t, a, b)
		b.mu.Lock()
		b.hang = true
		b.mu.Unlock()
		a.say(rules("a.example", "two.example"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		for range 2 { // one loads b, and one waits for its slot
			go func() { ended <- r.Reload(ctx) }()
		}
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Reload: %v", err)
			}
		}
		if got := tries(t, r.Current(), "a.example"); got != "two.example a.example" {
			t.Errorf("a.example is at %s", got)
		}
	})
}

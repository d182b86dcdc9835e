package sources_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
)

func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("w", rules("a.io", "m0.io"))
		r := resolver(t, w)
		defer start(t, r)()

		var seen []string
		ctx, cancel := context.WithCancel(t.Context())
		next, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for rules := range r.Changes(ctx) {
				seen = append(seen, tries(t, rules, "a.io"))
				<-next // slow
			}
		}()
		synctest.Wait()
		for i := 1; i <= 5; i++ { // none of which waits for the consumer
			w.say(rules("a.io", fmt.Sprintf("m%d.io", i)))
			w.signal()
			synctest.Wait()
		}
		next <- struct{}{}
		synctest.Wait()
		p := rules("a.io", "m5.io")
		p.Rules[0].Origin = "moved to another line"
		before, since := r.Current(), r.Since()
		if since.IsZero() || since.After(time.Now()) {
			t.Errorf("in force since %s", since)
		}
		wait(time.Second)
		w.say(p)
		w.signal()
		synctest.Wait()
		if r.Current() == before {
			t.Error("rules from other lines do not become current")
		}
		if r.Since() != since {
			t.Error("the same version is in force since another time")
		}
		w.say(rules("a.io", "m5.io"))
		w.signal()
		next <- struct{}{}
		synctest.Wait() // and are no change for lookups
		cancel()
		<-done
		if got := strings.Join(seen, ", "); got != "m0.io a.io, m5.io a.io" {
			t.Errorf("saw %s; want the current rules first, then the latest", got)
		}

		for range r.Changes(t.Context()) {
			break // ends the sequence
		}
		for range r.Changes(ctx) {
			t.Error("a sequence with an ended context yields")
		}
	})
}

// Without rules, Changes waits for the first.
func TestChangesBeforeRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("w", rules("a.io", "m.io"))
		w.fail(errAway)
		r := resolver(t, w)
		defer start(t, r)()
		got := make(chan *policy.Rules, 1)
		go func() {
			for rules := range r.Changes(t.Context()) {
				got <- rules
				return
			}
		}()
		wait(time.Minute)
		w.say(rules("a.io", "m.io"))
		w.signal()
		if rules := <-got; rules == nil || rules != r.Current() {
			t.Error("the first rules are not what is current")
		}
	})
}

package sources_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

func resolver(t *testing.T, srcs ...policy.OverrideSource) *sources.Resolver {
	t.Helper()
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, srcs...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs r until the test or the returned function ends it.
func start(t *testing.T, r *sources.Resolver) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = r.Start(ctx)
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-done
		if err != nil {
			t.Errorf("Start: %v", err)
		}
	})
}

// tries returns the endpoints for a digest of host/x.
func tries(t *testing.T, rules *policy.Rules, host string) string {
	t.Helper()
	ref := imageref.MustParse(host + "/x@sha256:" + strings.Repeat("0", 64))
	candidates, err := rules.Candidates(ref)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range candidates {
		out = append(out, c.Ref.Registry())
	}
	return strings.Join(out, " ")
}

func TestResolverMerges(t *testing.T) {
	r := resolver(t, newFake("a", rules("a.io", "m.io")), newFake("b", rules("b.io", "n.io")))
	if got := tries(t, r.Current(), "a.io") + ", " + tries(t, r.Current(), "b.io"); got != "m.io a.io, n.io b.io" {
		t.Errorf("tries %s", got)
	}
	for i, st := range r.Status() {
		if st.Name != []string{"a", "b"}[i] || !st.Loaded || st.Err != nil || st.Rules != 1 || st.LastGood.IsZero() {
			t.Errorf("status %+v", st)
		}
	}
	if none := resolver(t); none.Current() == nil || len(none.Status()) != 0 {
		t.Error("a resolver without sources has no rules, rather than empty ones")
	}
}

func TestResolverFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, plain := newWatched("watched", rules("a.io", "m.io")), newFake("plain", rules("b.io", "n.io"))
		r := resolver(t, w, plain)
		defer start(t, r)()
		synctest.Wait()
		before := r.Current()

		w.signal()
		wait(time.Hour) // with a poll every 30 s of plain
		if r.Current() != before {
			t.Error("nothing changed, and the rules were built anew")
		}
		if n := plain.count(); n < 120 {
			t.Errorf("the plain source was asked %d times in an hour", n)
		}
		if n := w.count(); n > 4 {
			t.Errorf("the watched source was asked %d times without need", n)
		}

		w.say(rules("a.io", "m2.io"))
		w.signal()
		synctest.Wait()
		if got := tries(t, r.Current(), "a.io"); got != "m2.io a.io" {
			t.Errorf("after a signal: tries %s", got)
		}
		plain.say(rules("b.io", "n2.io"))
		wait(sources.DefaultPoll)
		synctest.Wait()
		if got := tries(t, r.Current(), "b.io"); got != "n2.io b.io" {
			t.Errorf("after a poll: tries %s", got)
		}
	})
}

// A watcher that tells less than it should is asked again after each failure, of
// its loads and of its watch.
func TestResolverQuietWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched("w", rules("a.io", "m.io"))
		w.quiet = true
		w.fail(errAway)
		r := resolver(t, w)
		defer start(t, r)()
		synctest.Wait()
		w.say(rules("a.io", "m.io"))
		wait(time.Minute)
		if r.Current() == nil {
			t.Fatal("a source that is back is not asked again")
		}
		w.events <- errors.New("watch expired")
		synctest.Wait()
		w.say(rules("a.io", "m2.io"))
		wait(time.Minute)
		if got := tries(t, r.Current(), "a.io"); got != "m2.io a.io" {
			t.Errorf("a change between two watches is lost: tries %s", got)
		}
		w.fail(invalid())
		w.signal()
		synctest.Wait()
		w.say(rules("a.io", "m3.io"))
		wait(time.Minute)
		if got := tries(t, r.Current(), "a.io"); got != "m3.io a.io" {
			t.Errorf("a mended policy is not read without a signal: tries %s", got)
		}
	})
}

func TestResolverStartTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resolver(t, newFake("a", rules("a.io", "m.io")))
		stop := start(t, r)
		synctest.Wait()
		if err := r.Start(t.Context()); err == nil {
			t.Error("a second Start works")
		}
		stop()
		if err := r.Start(t.Context()); err == nil {
			t.Error("a Start after the end works")
		}
	})
}

// For the race detector: everybody at once, on real goroutines.
func TestResolverConcurrent(t *testing.T) {
	w := newWatched("w", rules("a.io", "m.io"))
	other := newWatched("other", rules("b.io", "n.io"))
	r := resolver(t, w, other)
	stop := start(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				_ = r.Status()
				if got := tries(t, r.Current(), "a.io"); !strings.HasSuffix(got, " a.io") {
					t.Errorf("tries %s", got)
				}
			}
		})
		readers.Go(func() {
			for rules := range r.Changes(ctx) {
				_ = rules.Version()
			}
		})
	}
	for i := range 200 {
		w.say(rules("a.io", fmt.Sprintf("m%d.io", i)))
		w.signal()
		other.say(rules("b.io", fmt.Sprintf("n%d.io", i)))
		other.signal()
	}
	for rules := range r.Changes(t.Context()) {
		if tries(t, rules, "a.io") == "m199.io a.io" && tries(t, rules, "b.io") == "n199.io b.io" {
			break
		}
	}
	cancel()
	readers.Wait()
	stop()
}

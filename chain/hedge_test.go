package chain_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Time in these tests is synctest's, and exact.

const mirrorC = "c.example/ocp/release"

// firstByte does what net/http does when an answer begins.
func firstByte(ctx context.Context) {
	if t := httptrace.ContextClientTrace(ctx); t != nil && t.GotFirstResponseByte != nil {
		t.GotFirstResponseByte()
	}
}

// connects does what net/http does before it sends anything.
func connects(ctx context.Context) {
	if t := httptrace.ContextClientTrace(ctx); t != nil && t.GetConn != nil {
		t.GetConn("")
	}
}

// begins begins to answer after d, and goes on as then says.
func begins(d time.Duration, then endpoint) endpoint {
	return func(ctx context.Context, req provider.Request, n int) error {
		if err := takes(d)(ctx, req, n); err != nil {
			return err
		}
		firstByte(ctx)
		return then(ctx, req, n)
	}
}

// at answers the n-th time as the n-th endpoint says, and later as the last one.
func at(es ...endpoint) endpoint {
	return func(ctx context.Context, req provider.Request, n int) error {
		return es[min(n, len(es)-1)](ctx, req, n)
	}
}

const ms = time.Millisecond

func TestHedge(t *testing.T) {
	slow := takes(40 * ms)
	tests := map[string]struct {
		endpoints map[string]endpoint
		image     string // the image by digest if ""
		cfg       chain.MirrorsConfig
		warm      int // lookups before
		asked     []string
		attempts  []string
		took      time.Duration
	}{
		"silent, not known": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: slow},
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      340 * ms,
		},
		"silent, known to be quick": {
			endpoints: map[string]endpoint{mirrorA: at(begins(10*ms, answers), hangs), mirrorB: slow},
			warm:      1,
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      140 * ms,
		},
		"silent, known to take 80 ms": {
			endpoints: map[string]endpoint{mirrorA: at(begins(80*ms, answers), hangs), mirrorB: slow},
			warm:      1,
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      200 * ms,
		},
		"an average, as 80 and 160 ms are 100": {
			endpoints: map[string]endpoint{mirrorA: at(begins(80*ms, answers), begins(160*ms, fails(provider.ClassNotFound)), hangs), mirrorB: slow},
			warm:      2,
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      240 * ms,
		},
		"begun": {
			endpoints: map[string]endpoint{mirrorA: begins(299*ms, takes(10*time.Second)), mirrorB: slow},
			asked:     []string{mirrorA},
			attempts:  []string{mirrorA},
			took:      10*time.Second + 299*ms,
		},
		"begun late, first all the same": {
			endpoints: map[string]endpoint{mirrorA: begins(310*ms, takes(20*ms)), mirrorB: slow},
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorB + ": canceled", mirrorA},
			took:      330 * ms,
		},
		"quick failures": {
			endpoints: map[string]endpoint{mirrorA: fails(provider.ClassNotFound), mirrorB: fails(provider.ClassUnreachable), mirrorC: slow},
			asked:     []string{mirrorA, mirrorB, mirrorC},
			attempts:  []string{mirrorA + ": not-found", mirrorB + ": unreachable", mirrorC},
			took:      40 * ms,
		},
		"a quick failure beside a silence": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: fails(provider.ClassNotFound), mirrorC: slow},
			asked:     []string{mirrorA, mirrorB, mirrorC},
			attempts:  []string{mirrorA + ": timeout", mirrorB + ": not-found", mirrorC},
			took:      340 * ms,
		},
		"two silences": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: hangs, mirrorC: slow},
			asked:     []string{mirrorA, mirrorB, mirrorC},
			attempts:  []string{mirrorA + ": timeout", mirrorB + ": timeout", mirrorC},
			took:      640 * ms,
		},
		"no more than so many at once": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: hangs, mirrorC: slow},
			cfg:       chain.MirrorsConfig{Parallel: 2, Attempt: time.Second},
			asked:     []string{mirrorA, mirrorB, mirrorC},
			attempts:  []string{mirrorA + ": timeout", mirrorB + ": timeout", mirrorC},
			took:      1040 * ms,
		},
		"one at a time": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: slow},
			cfg:       chain.MirrorsConfig{Parallel: 1, Attempt: time.Second},
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      1040 * ms,
		},
		"another host first": {
			endpoints: map[string]endpoint{mirrorA: hangs, "a.example/other": slow, mirrorC: slow},
			asked:     []string{mirrorA, mirrorC},
			attempts:  []string{mirrorA + ": timeout", mirrorC},
			took:      340 * ms,
		},
		"limits of one's own": {
			endpoints: map[string]endpoint{mirrorA: at(begins(10*ms, answers), hangs), mirrorB: hangs, mirrorC: slow},
			cfg:       chain.MirrorsConfig{HedgeUnknown: time.Second, HedgeKnown: 50 * ms},
			warm:      1,
			asked:     []string{mirrorA, mirrorB, mirrorC},
			attempts:  []string{mirrorA + ": timeout", mirrorB + ": timeout", mirrorC},
			took:      1090 * ms,
		},
		"never the source": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: hangs, mirrorC: hangs, source: slow},
			asked:     []string{mirrorA, mirrorB, mirrorC, source},
			attempts:  []string{mirrorA + ": timeout", mirrorB + ": timeout", mirrorC + ": timeout", source},
			took:      60*time.Second + 640*ms,
		},
		"never by tag": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: slow},
			image:     tagged.String(),
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      60*time.Second + 40*ms,
		},
		"by tag and digest": {
			endpoints: map[string]endpoint{mirrorA: hangs, mirrorB: slow},
			image:     tagged.String() + "@" + digest,
			asked:     []string{mirrorA, mirrorB},
			attempts:  []string{mirrorA + ": timeout", mirrorB},
			took:      340 * ms,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := counting{fakes: newFakes(t, tt.endpoints)}
				mirrors := []string{mirrorA, mirrorB, mirrorC}
				if tt.endpoints["a.example/other"] != nil {
					mirrors[1] = "a.example/other"
				}
				c := newChain(t, &base, newRules(t, mirrored(source, mirrors...)), chain.Mirrors(tt.cfg))
				req := provider.Request{Image: image}
				for range tt.warm {
					lookup(t, c, req)
				}
				if tt.image != "" {
					req.Image = mustParse(t, tt.image)
				}
				skip, start := len(base.names()), time.Now()
				r := lookup(t, c, req)
				if got := time.Since(start); got != tt.took {
					t.Errorf("it took %s, want %s", got, tt.took)
				}
				if n := base.running.Load(); n != 0 {
					t.Errorf("%d attempts go on", n)
				}
				wantList(t, "asked", base.names()[skip:], tt.asked...)
				wantList(t, "attempts", tried(slices.Collect(r.Attempts())), tt.attempts...)
				if last := tt.attempts[len(tt.attempts)-1]; r.PulledFrom().Name() != last || r.Image() != req.Image {
					t.Errorf("%s was pulled from %s, want %s", r.Image(), r.PulledFrom(), last)
				}
				if base.concurrent.Load() {
					t.Error("the source was asked beside a mirror")
				}
			})
		})
	}
}

// counting counts what runs.
type counting struct {
	*fakes
	running    atomic.Int32
	concurrent atomic.Bool // the source was asked while something else ran
}

func (c *counting) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	if c.running.Add(1) > 1 && req.Image.Name() == source {
		c.concurrent.Store(true)
	}
	defer c.running.Add(-1)
	return c.fakes.Lookup(ctx, req)
}

// One endpoint never uses up the time of those behind it, hedged or not: the source
// has at least its quarter.
func TestHedgeSharesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs, mirrorC: hangs, source: takes(2900 * ms)})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		r, err := mirrorsOver(t, base, mirrored(source, mirrorA, mirrorB, mirrorC)).Lookup(ctx, provider.Request{Image: image})
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())),
			mirrorA+": timeout", mirrorB+": timeout", mirrorC+": timeout", source)
	})
}

// The caller's own end, with two endpoints being asked, is neither's failure.
func TestHedgeCallerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{})
		base := counting{fakes: newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs})}
		c := newChain(t, &base, newRules(t, mirrored(source, mirrorA, mirrorB)), chain.Mirrors(chain.MirrorsConfig{Health: h}))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := c.Lookup(ctx, provider.Request{Image: image})
		e, ok := errors.AsType[*chain.Error](err)
		if !ok || !errors.Is(err, context.Canceled) || provider.ClassOf(err) != provider.ClassCanceled || len(e.Attempts) != 0 {
			t.Errorf("Lookup: %v; want that the caller gave up, and no attempts", err)
		}
		if !strings.Contains(err.Error(), mirrorA) {
			t.Errorf("the text does not say who was being asked: %v", err)
		}
		if n := base.running.Load(); n != 0 {
			t.Errorf("%d attempts go on", n)
		}
		if hosts := h.Hosts(); len(hosts) != 0 {
			t.Errorf("it is held against %v", hosts)
		}
	})
}

// A loser says in the attempts what became of it.
func TestHedgeLosers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: begins(40*ms, answers)})
		var seen events
		c := newChain(t, base, newRules(t, mirrored(source, mirrorA, mirrorB)),
			chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&seen}}), chain.Mirrors(chain.MirrorsConfig{}))
		r := lookup(t, c, provider.Request{Image: image})
		lost := slices.Collect(r.Attempts())[0]
		if got := fmt.Sprint(lost.Err); !strings.Contains(got, "no answer begun within 340ms") || !strings.Contains(got, mirrorA) {
			t.Errorf("the loser's error is %q", got)
		}
		if lost.Took != 340*ms {
			t.Errorf("the loser took %s", lost.Took)
		}
		wantList(t, "events", seen.kinds(), "lookup-started", "hedge-started", "attempt-done", "host-suspect", "attempt-done", "lookup-done")
		if e := seen.all[1]; e.Ref.Name() != mirrorB || e.Wait != 300*ms || e.Image != image || e.Rules == "" {
			t.Errorf("the hedge is told as %+v", e)
		}
	})
}

// A panic of a base provider is the caller's, and ends those beside it.
func TestHedgePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := counting{fakes: newFakes(t, map[string]endpoint{
			mirrorA: hangs, mirrorB: func(context.Context, provider.Request, int) error { panic("boom") },
		})}
		c := newChain(t, &base, newRules(t, mirrored(source, mirrorA, mirrorB)), chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
		_, err := c.Lookup(t.Context(), provider.Request{Image: image})
		p, ok := errors.AsType[*chain.PanicError](err)
		if !ok || p.Value != "boom" || !strings.Contains(string(p.Stack), "TestHedgePanics") {
			t.Errorf("Lookup: %v; want the panic, with the stack where it was", err)
		}
		if n := base.running.Load(); n != 0 {
			t.Errorf("%d attempts go on", n)
		}
	})
}

// Where the source stands in the middle it stays there: what is ahead of it is asked
// before it, what is behind it after it.
func TestHedgeSourceInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := counting{fakes: newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs, source: takes(time.Second), mirrorC: answers})}
		c := newChain(t, &base, newRules(t, mirrored(source, mirrorA, mirrorB, source, mirrorC)), chain.Mirrors(chain.MirrorsConfig{}))
		for range 2 { // the second time all hosts before it have failed
			r := lookup(t, c, provider.Request{Image: image})
			wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": timeout", mirrorB+": timeout", source)
		}
		if base.concurrent.Load() {
			t.Error("the source was asked beside a mirror")
		}
	})
}

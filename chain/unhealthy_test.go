package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// hosts is a chain over two mirrors, and what it knows of their hosts.
type hosts struct {
	*chain.Chain
	*counting
	health *health.Health
	seen   events
}

func newHosts(t *testing.T, endpoints map[string]endpoint, mirrors ...string) *hosts {
	t.Helper()
	t.Cleanup(letEnd)
	s := &hosts{counting: &counting{fakes: newFakes(t, endpoints)}, health: health.New(health.Config{})}
	if mirrors == nil {
		mirrors = []string{mirrorA, mirrorB}
	}
	s.Chain = newChain(t, s.counting, newRules(t, mirrored(source, mirrors...)),
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&s.seen}}), chain.Mirrors(chain.MirrorsConfig{Health: s.health}))
	return s
}

// letEnd lets time pass in a bubble, where a probe may go on.
func letEnd() { time.Sleep(10 * time.Second) }

// Lookup asks the chain.
func (s *hosts) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	return s.Chain.Lookup(ctx, req)
}

// asks looks up, and returns whom that asked and how long it took. It runs in a bubble.
func (s *hosts) asks(t *testing.T, req provider.Request) ([]string, time.Duration) {
	t.Helper()
	before, start := len(s.names()), time.Now()
	_, _ = s.Lookup(t.Context(), req)
	took := time.Since(start)
	synctest.Wait() // a probe may have been given up by the lookup before it asked
	probes := int32(0)
	for _, h := range s.health.Hosts() {
		if h.Probing {
			probes++
		}
	}
	if n := s.running.Load(); n > probes {
		t.Errorf("%d attempts go on, and %d probes", n, probes)
	}
	return slices.Sorted(slices.Values(s.names()[before:])), took
}

func (s *hosts) states() string {
	out := ""
	for _, h := range s.health.Hosts() {
		out += fmt.Sprintf("%s %s %d; ", h.Name, h.State, h.Failures)
	}
	return out
}

var ofDigest, ofTag = provider.Request{Image: image}, provider.Request{Image: tagged}

// P5: after the first lookup a mirror that hangs costs nothing, however often it is
// tried again.
func TestUnhealthyMirrorCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorA: hangs, mirrorB: begins(20*ms, takes(20*ms))})
		if _, took := s.asks(t, ofDigest); took != 340*ms {
			t.Errorf("the first lookup took %s, want 340 ms", took)
		}
		atA := 0
		for range 100 {
			asked, took := s.asks(t, ofDigest)
			if took != 40*ms {
				t.Fatalf("a later lookup took %s, want 40 ms", took)
			}
			if slices.Contains(asked, mirrorA) {
				atA++
			}
			time.Sleep(time.Second - 40*ms)
		}
		if atA < 2 || atA > 8 { // every 15 s at most, and the one at once
			t.Errorf("it was tried again %d times in 100 s", atA)
		}
	})
}

// Three failures in a row open; probes come after 15 s, then less and less often; one
// answer closes.
func TestUnhealthyMirrorIsProbed(t *testing.T) {
	for name, req := range map[string]provider.Request{"digest": ofDigest, "tag": ofTag} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHosts(t, map[string]endpoint{mirrorB: takes(20 * ms)})
				start := time.Now()
				var tried []string
				ask := func() {
					t.Helper()
					asked, took := s.asks(t, req)
					if took != 20*ms || !slices.Contains(asked, mirrorB) {
						t.Fatalf("asked %q in %s", asked, took)
					}
					if slices.Contains(asked, mirrorA) {
						tried = append(tried, (time.Since(start) - 20*ms).String())
					}
				}
				for time.Since(start) < 400*time.Second {
					ask()
					time.Sleep(480 * ms)
				}
				wantList(t, "the unhealthy mirror was asked at", tried,
					"0s", "500ms", "1s", "16s", "46s", "1m46s", "3m46s", "5m46s")
				if got, want := s.states(), "a.example unhealthy 8; b.example healthy 0; "; got != want {
					t.Errorf("hosts: %s; want %s", got, want)
				}
				s.become(map[string]endpoint{mirrorA: begins(10*ms, answers), mirrorB: takes(20 * ms)})
				for !s.health.Healthy("a.example") {
					_, _ = s.asks(t, req)
					time.Sleep(time.Second)
				}
				asked, _ := s.asks(t, req)
				wantList(t, "asked once it is well", asked, mirrorA)
				s.seen.all = slices.DeleteFunc(s.seen.all, func(e chain.Event) bool {
					return e.Kind != chain.HostSuspect && e.Kind != chain.HostUnhealthy && e.Kind != chain.HostHealthy
				})
				wantList(t, "events", s.seen.kinds(), "host-suspect", "host-unhealthy", "host-healthy")
				for _, e := range s.seen.all {
					if e.Ref.Name() != mirrorA || (e.Err == nil) != (e.Kind == chain.HostHealthy) {
						t.Errorf("%s of %s: %v", e.Kind, e.Ref, e.Err)
					}
				}
			})
		})
	}
}

// What is an honest answer, or the end of the caller's context, or nobody's fault, is
// never held against a host.
func TestStaysHealthy(t *testing.T) {
	for name, tt := range map[string]struct {
		at      endpoint
		timeout time.Duration
	}{
		"unauthorized":         {fails(provider.ClassUnauthorized), 0},
		"not found":            {fails(provider.ClassNotFound), 0},
		"throttled":            {fails(provider.ClassThrottled), 0},
		"server error":         {fails(provider.ClassServer), 0},
		"wrong bytes":          {fails(provider.ClassDigest), 0},
		"forbidden":            {fails(provider.ClassForbidden), 0},
		"too large":            {fails(provider.ClassLimit), 0},
		"unknown":              {fails(provider.ClassUnknown), 0},
		"caller's deadline":    {hangs, 200 * ms},
		"a share of a moment":  {hangs, 20 * ms},
		"begun, then too slow": {begins(10*ms, hangs), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHosts(t, map[string]endpoint{mirrorA: tt.at})
				for range 5 {
					ctx, cancel := context.WithCancel(t.Context())
					if tt.timeout > 0 {
						ctx, cancel = context.WithTimeout(t.Context(), tt.timeout)
					}
					if _, err := s.Lookup(ctx, ofDigest); err == nil {
						t.Error("no error")
					}
					cancel()
				}
				if !s.health.Healthy("a.example") {
					t.Errorf("hosts: %s", s.states())
				}
			})
		})
	}
}

// An answer between failures starts the count anew.
func TestUnhealthyCountsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down, there := fails(provider.ClassUnreachable), fails(provider.ClassNotFound)
		s := newHosts(t, map[string]endpoint{mirrorA: at(down, down, there, down, down, there), source: answers})
		for range 6 {
			lookup(t, s, ofDigest)
		}
		if got, want := s.states()[:len("a.example healthy")], "a.example healthy"; got != want {
			t.Errorf("hosts: %s; want %s", s.states(), want)
		}
	})
}

// What answers our own cancellation is no life.
func TestFirstByteOfOurOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorB: takes(20 * ms), mirrorA: func(ctx context.Context, _ provider.Request, _ int) error {
			<-ctx.Done()
			firstByte(ctx)
			return ctx.Err()
		}})
		lookup(t, s, ofDigest)
		if s.health.Healthy("a.example") {
			t.Errorf("hosts: %s", s.states())
		}
	})
}

// A loser that has begun is healthy, one that had no time to begin shows nothing, and
// one that was silent for too long has failed.
func TestLosersHealth(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b endpoint
		want string
	}{
		"begun":  {begins(310*ms, hangs), takes(20 * ms), "a.example healthy 0; b.example healthy 0; "},
		"silent": {hangs, takes(20 * ms), "a.example suspect 1; b.example healthy 0; "},
		"early":  {takes(310 * ms), hangs, "a.example healthy 0; "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHosts(t, map[string]endpoint{mirrorA: tt.a, mirrorB: tt.b})
				lookup(t, s, ofDigest)
				if got := s.states(); got != tt.want {
					t.Errorf("hosts: %s; want %s", got, tt.want)
				}
			})
		})
	}
}

// If all have failed they are tried, as policy orders them, and the source after them.
func TestAllUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{source: answers})
		for i := range 10 {
			r := lookup(t, s, ofDigest)
			got := tried(slices.Collect(r.Attempts()))
			wantList(t, fmt.Sprintf("attempts %d", i), got, mirrorA+": unreachable", mirrorB+": unreachable", source)
		}
		s.become(map[string]endpoint{mirrorB: answers, source: answers})
		r := lookup(t, s, ofDigest)
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": unreachable", mirrorB)
	})
}

// The source stays where policy has it, though the mirror before it has failed, and is
// not asked at all where a mirror answers.
func TestUnhealthyMirrorAheadOfTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{source: takes(10 * ms)}, mirrorA)
		for range 5 {
			r := lookup(t, s, ofDigest)
			wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": unreachable", source)
		}
		s.become(map[string]endpoint{mirrorA: begins(200*ms, takes(time.Second)), source: answers})
		asked, _ := s.asks(t, ofDigest)
		wantList(t, "asked", asked, mirrorA)
	})
}

// One probe at a time, however many look up.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorB: takes(20 * ms)})
		for range 3 {
			lookup(t, s, ofDigest)
		}
		s.become(map[string]endpoint{mirrorA: hangs, mirrorB: takes(20 * ms)})
		time.Sleep(15 * time.Second)
		before := len(s.names())
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { _, _ = s.Lookup(t.Context(), ofDigest) })
		}
		wg.Wait()
		asked := slices.DeleteFunc(s.names()[before:], func(n string) bool { return n == mirrorB })
		wantList(t, "asked beside the healthy one", asked, mirrorA)
	})
}

// By tag a probe's answer waits for its turn: it is not used because it came first.
func TestProbeByTag(t *testing.T) {
	for name, tt := range map[string]struct {
		b    endpoint
		from string
		took time.Duration
	}{
		"the healthy one answers": {takes(50 * ms), mirrorB, 50 * ms},
		"it fails": {func(ctx context.Context, r provider.Request, n int) error {
			_ = takes(50*ms)(ctx, r, n)
			return fails(provider.ClassServer)(ctx, r, n)
		}, mirrorA, 50 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newHosts(t, map[string]endpoint{mirrorB: answers})
				lookup(t, s, ofTag)
				s.become(map[string]endpoint{mirrorA: takes(10 * ms), mirrorB: tt.b})
				start := time.Now()
				r := lookup(t, s, ofTag)
				if got := time.Since(start); r.PulledFrom().Name() != tt.from || got != tt.took {
					t.Errorf("from %s after %s; want %s after %s", r.PulledFrom(), got, tt.from, tt.took)
				}
				if !s.health.Healthy("a.example") {
					t.Errorf("hosts: %s; the probe was answered", s.states())
				}
			})
		})
	}
}

// R12: a source that policy forbids is not asked, whatever the mirrors do.
func TestUnhealthyMirrorsForbiddenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := mirrored(source, mirrorA, mirrorB)
		rule.NeverContactSource = true
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs, source: answers})
		c := newChain(t, base, newRules(t, rule), chain.Mirrors(chain.MirrorsConfig{Attempt: time.Second}))
		for range 5 {
			for _, req := range []provider.Request{ofDigest, ofTag} {
				if _, err := c.Lookup(t.Context(), req); !errors.Is(err, provider.ErrForbidden) {
					t.Errorf("Lookup: %v", err)
				}
			}
		}
		if slices.Contains(base.names(), source) {
			t.Error("the source was asked")
		}
	})
}

// What one chain learns, another knows, images too.
func TestHealthIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(letEnd)
		cfg := chain.MirrorsConfig{Health: health.New(health.Config{})}
		rules := newRules(t, mirrored(source, mirrorA, mirrorB))
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: begins(20*ms, answers)})
		lookup(t, newChain(t, base, rules, chain.Mirrors(cfg)), ofDigest)

		images, err := chain.Images(provider.ImageFunc(func(ctx context.Context, req provider.Request) (provider.Image, error) {
			if _, err := base.Lookup(ctx, req); err != nil {
				return nil, err
			}
			return &fakeImage{from: req.Image, digest: digest}, nil
		}), always(rules), cfg)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		img, err := images.Image(t.Context(), ofDigest)
		if err != nil || img.PulledFrom().Name() != mirrorB || time.Since(start) != 20*ms {
			t.Errorf("Image: %v, after %s", err, time.Since(start))
		}
		start = time.Now()
		lookup(t, newChain(t, base, rules, chain.Mirrors(cfg)), ofDigest)
		if got := time.Since(start); got != 20*ms {
			t.Errorf("another chain took %s", got)
		}
		start = time.Now()
		lookup(t, newChain(t, base, rules, chain.Mirrors(chain.MirrorsConfig{})), ofDigest)
		if got := time.Since(start); got != 320*ms {
			t.Errorf("a chain that is not told took %s", got)
		}
	})
}

// What the store answers from memory says nothing of the host.
func TestMemoryIsNoHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{})
		base := &opener{open: byDigest}
		c := newChain(t, base, newRules(t, mirrored(source, mirrorA)), chain.Mirrors(chain.MirrorsConfig{Health: h}), chain.Store(chain.StoreConfig{}))
		lookup(t, c, ofDigest)
		h.Report(health.Report{Host: "a.example", Outcome: health.Failure})
		lookup(t, c, ofDigest)
		if h.Healthy("a.example") {
			t.Error("an answer from memory made the host healthy")
		}
	})
}

// By tag what a probe does is no reason to ask the next mirror beside the first.
func TestProbeByTagRacesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorA: takes(time.Second), mirrorB: answers}, mirrorC, mirrorA, mirrorB)
		s.health.Report(health.Report{Host: "c.example", Outcome: health.Failure})
		s.become(map[string]endpoint{mirrorA: takes(time.Second), mirrorB: answers, mirrorC: func(ctx context.Context, r provider.Request, n int) error {
			_ = takes(400*ms)(ctx, r, n)
			return fails(provider.ClassNotFound)(ctx, r, n)
		}})
		asked, took := s.asks(t, ofTag)
		wantList(t, "asked", asked, mirrorA, mirrorC)
		if took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// A probe that has begun to answer is waited for before others are asked.
func TestProbeThatBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{
			mirrorA: begins(10*ms, takes(100*ms)), mirrorC: answers,
			mirrorB: begins(50*ms, fails(provider.ClassNotFound)),
		}, mirrorA, mirrorB, mirrorC)
		s.health.Report(health.Report{Host: "a.example", Outcome: health.Failure})
		asked, took := s.asks(t, ofDigest)
		wantList(t, "asked", asked, mirrorA, mirrorB)
		if took != 110*ms {
			t.Errorf("it took %s", took)
		}
	})
}

// A caller that gives up during a probe leaves the host as it was, and to be probed.
func TestProbeWhoseCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHosts(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs})
		s.health.Report(health.Report{Host: "a.example", Outcome: health.Failure})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(150*ms, cancel)
		if _, err := s.Lookup(ctx, ofDigest); !errors.Is(err, context.Canceled) {
			t.Errorf("Lookup: %v", err)
		}
		if h := s.health.Hosts()[0]; h.Probing || h.Failures != 1 {
			t.Errorf("host: %+v", h)
		}
		time.Sleep(15 * time.Second)
		s.become(map[string]endpoint{mirrorB: answers})
		asked, _ := s.asks(t, ofDigest)
		wantList(t, "asked", asked, mirrorA, mirrorB)
	})
}

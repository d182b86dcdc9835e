package health_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
)

var errDown = errors.New("down")

func report(t *testing.T, h *health.Health, r health.Report, want health.State, changed bool) {
	t.Helper()
	if got, c := h.Report(r); got != want || c != changed {
		t.Errorf("Report(%+v) = %s, %v; want %s, %v", r, got, c, want, changed)
	}
}

func one(t *testing.T, h *health.Health) health.Host {
	t.Helper()
	hosts := h.Hosts()
	if len(hosts) != 1 {
		t.Fatalf("Hosts: %+v; want one", hosts)
	}
	return hosts[0]
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{})
		failed := health.Report{Host: "m", Outcome: health.Failure, Err: errDown}
		success := health.Report{Host: "m", Outcome: health.Success, FirstByte: 20 * time.Millisecond}
		unknown := health.Report{Host: "m"}

		report(t, h, unknown, health.Healthy, false)
		if n := len(h.Hosts()); n != 0 || !h.Healthy("m") || h.Probe("m") {
			t.Errorf("%d hosts of which nothing is known", n)
		}
		report(t, h, failed, health.Suspect, true)
		report(t, h, unknown, health.Suspect, false)
		report(t, h, failed, health.Suspect, false)
		report(t, h, success, health.Healthy, true)
		report(t, h, failed, health.Suspect, true)
		report(t, h, failed, health.Suspect, false)
		time.Sleep(time.Second)
		failed3 := time.Now()
		report(t, h, failed, health.Unhealthy, true)
		want := health.Host{
			Name: "m", State: health.Unhealthy, Since: failed3, Failures: 3, Err: errDown,
			TypicalFirstByte: 20 * time.Millisecond, NextProbe: failed3.Add(15 * time.Second),
		}
		if got := h.State("m"); got != health.Unhealthy || h.State("other") != health.Healthy {
			t.Errorf("State: %s", got)
		}
		if got := one(t, h); got != want {
			t.Errorf("Hosts: %+v; want %+v", got, want)
		}
		time.Sleep(time.Second)
		report(t, h, success, health.Healthy, true)
		if got := one(t, h); got.Failures != 0 || got.Err != nil || !got.NextProbe.IsZero() || got.Since != time.Now() {
			t.Errorf("Hosts: %+v; want it as good as new", got)
		}
	})
}

// Probes of an unhealthy host, when each of them fails, and when they show nothing.
func TestProbes(t *testing.T) {
	for name, tt := range map[string]struct {
		evidence health.Outcome
		waits    []time.Duration
	}{
		"failed":  {health.Failure, []time.Duration{15, 30, 60, 120, 120}},
		"unknown": {health.Unknown, []time.Duration{15, 15, 15}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := health.New(health.Config{})
				for range 20 { // more than enough were under way when it became unhealthy
					h.Report(health.Report{Host: "m", Outcome: health.Failure})
				}
				for i, wait := range tt.waits {
					time.Sleep(wait*time.Second - time.Nanosecond)
					if h.Probe("m") {
						t.Fatalf("probe %d is sooner than after %d s", i, wait)
					}
					time.Sleep(time.Nanosecond)
					if !h.Probe("m") || h.Probe("m") {
						t.Fatalf("probe %d: not exactly one", i)
					}
					if got := one(t, h); !got.Probing {
						t.Errorf("Hosts: %+v; want it to be probing", got)
					}
					h.Report(health.Report{Host: "m", Outcome: tt.evidence, Probe: true})
				}
			})
		})
	}
}

// A suspect host is probed at once, and after a probe that showed nothing, later.
func TestProbesOfSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{Probe: time.Second, MaxProbe: 2 * time.Second, Failures: 2})
		h.Report(health.Report{Host: "m", Outcome: health.Failure})
		if !h.Probe("m") {
			t.Fatal("no probe at once")
		}
		h.Report(health.Report{Host: "m", Probe: true})
		if h.Probe("m") {
			t.Error("another at once")
		}
		time.Sleep(time.Second)
		if !h.Probe("m") {
			t.Error("none after a second")
		}
		report(t, h, health.Report{Host: "m", Outcome: health.Failure, Probe: true}, health.Unhealthy, true)
	})
}

func TestTypicalFirstByte(t *testing.T) {
	h := health.New(health.Config{})
	if d, ok := h.TypicalFirstByte("m"); ok {
		t.Errorf("TypicalFirstByte of an unknown host: %s", d)
	}
	for _, tt := range []struct{ firstByte, want time.Duration }{{0, 0}, {80, 80}, {160, 100}, {0, 100}, {100, 100}, {20, 80}} {
		h.Report(health.Report{Host: "m", Outcome: health.Success, FirstByte: tt.firstByte})
		if d, ok := h.TypicalFirstByte("m"); d != tt.want || ok != (d != 0) {
			t.Errorf("after %d: TypicalFirstByte = %d, %v; want %d", tt.firstByte, d, ok, tt.want)
		}
	}
	h.Report(health.Report{Host: "m", Outcome: health.Failure, FirstByte: 999})
	if d, _ := h.TypicalFirstByte("m"); d != 80 {
		t.Errorf("a failure counts as an answer: %d", d)
	}
}

// Memory is bounded; what goes first is healthy and was not heard of for longest.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{Hosts: 3})
		h.Report(health.Report{Host: "failed", Outcome: health.Failure})
		for i := range 1000 {
			time.Sleep(time.Second)
			h.Report(health.Report{Host: "often", Outcome: health.Success})
			h.Report(health.Report{Host: fmt.Sprint("once-", i), Outcome: health.Success})
		}
		var got []string
		for _, x := range h.Hosts() {
			got = append(got, x.Name)
		}
		if fmt.Sprint(got) != "[failed often once-999]" {
			t.Errorf("hosts: %v", got)
		}
		for i := range 3 {
			h.Report(health.Report{Host: fmt.Sprint("down-", i), Outcome: health.Failure})
		}
		if n := len(h.Hosts()); n != 3 {
			t.Errorf("%d failed hosts, want 3", n)
		}
	})
}

// A flood of hosts that do not exist costs what is known of real ones for a while, and
// not for good.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{Hosts: 8})
		for i := range 8 {
			h.Report(health.Report{Host: fmt.Sprint("bogus-", i), Outcome: health.Failure})
		}
		hear := func(names ...string) (known int) {
			for _, n := range names {
				time.Sleep(time.Second)
				h.Report(health.Report{Host: n, Outcome: health.Success, FirstByte: time.Millisecond})
			}
			for _, n := range names {
				if _, ok := h.TypicalFirstByte(n); ok {
					known++
				}
			}
			return known
		}
		if n := hear("a", "b"); n != 1 {
			t.Errorf("%d real hosts are known, want 1: those that failed are kept for now", n)
		}
		time.Sleep(20 * time.Minute)
		if n := hear("a", "b", "c"); n != 3 {
			t.Errorf("%d real hosts are known after 20 min, want 3: %+v", n, h.Hosts())
		}
	})
}

func TestStateString(t *testing.T) {
	for s, want := range map[health.State]string{health.Healthy: "healthy", health.Suspect: "suspect", health.Unhealthy: "unhealthy", 99: "unknown"} {
		if got := s.String(); got != want {
			t.Errorf("%d is %q, want %q", s, got, want)
		}
	}
}

// Of many that ask at once one probes, while all report.
func TestConcurrently(t *testing.T) {
	h := health.New(health.Config{})
	h.Report(health.Report{Host: "m", Outcome: health.Failure})
	var mu sync.Mutex
	probes := 0
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if h.Probe("m") {
				mu.Lock()
				defer mu.Unlock()
				probes++
			}
			h.TypicalFirstByte("m")
			h.Hosts()
			h.Report(health.Report{Host: "other", Outcome: health.Success, FirstByte: 1})
		})
	}
	wg.Wait()
	if probes != 1 {
		t.Errorf("%d probes, want 1", probes)
	}
}

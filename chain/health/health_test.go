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
		failed := health.Report{Host: "m", Evidence: health.Failed, Err: errDown}
		alive := health.Report{Host: "m", Evidence: health.Alive, FirstByte: 20 * time.Millisecond}
		unsure := health.Report{Host: "m"}

		report(t, h, unsure, health.Healthy, false)
		if n := len(h.Hosts()); n != 0 || h.Sick("m") || h.Probe("m") {
			t.Errorf("%d hosts of which nothing is known", n)
		}
		report(t, h, failed, health.Suspect, true)
		report(t, h, unsure, health.Suspect, false)
		report(t, h, failed, health.Suspect, false)
		report(t, h, alive, health.Healthy, true)
		report(t, h, failed, health.Suspect, true)
		report(t, h, failed, health.Suspect, false)
		time.Sleep(time.Second)
		opened := time.Now()
		report(t, h, failed, health.Open, true)
		want := health.Host{
			Name: "m", State: health.Open, Since: opened, Failures: 3, Err: errDown,
			Usual: 20 * time.Millisecond, NextProbe: opened.Add(15 * time.Second),
		}
		if got := h.State("m"); got != health.Open || h.State("other") != health.Healthy {
			t.Errorf("State: %s", got)
		}
		if got := one(t, h); got != want {
			t.Errorf("Hosts: %+v; want %+v", got, want)
		}
		time.Sleep(time.Second)
		report(t, h, alive, health.Healthy, true)
		if got := one(t, h); got.Failures != 0 || got.Err != nil || !got.NextProbe.IsZero() || got.Since != time.Now() {
			t.Errorf("Hosts: %+v; want it as good as new", got)
		}
	})
}

// Probes of an open host, when each of them fails, and when nobody knows.
func TestProbes(t *testing.T) {
	for name, tt := range map[string]struct {
		evidence health.Evidence
		waits    []time.Duration
	}{
		"failed": {health.Failed, []time.Duration{15, 30, 60, 120, 120}},
		"unsure": {health.Unsure, []time.Duration{15, 15, 15}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := health.New(health.Config{})
				for range 20 { // more than enough were under way when it opened
					h.Report(health.Report{Host: "m", Evidence: health.Failed})
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
					h.Report(health.Report{Host: "m", Evidence: tt.evidence, Probe: true})
				}
			})
		})
	}
}

// A suspect host is probed at once, and after a probe that showed nothing, later.
func TestProbesOfSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{Probe: time.Second, MaxProbe: 2 * time.Second, Failures: 2})
		h.Report(health.Report{Host: "m", Evidence: health.Failed})
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
		report(t, h, health.Report{Host: "m", Evidence: health.Failed, Probe: true}, health.Open, true)
	})
}

func TestUsual(t *testing.T) {
	h := health.New(health.Config{})
	if d, ok := h.Usual("m"); ok {
		t.Errorf("Usual of an unknown host: %s", d)
	}
	for _, tt := range []struct{ firstByte, want time.Duration }{{0, 0}, {80, 80}, {160, 100}, {0, 100}, {100, 100}, {20, 80}} {
		h.Report(health.Report{Host: "m", Evidence: health.Alive, FirstByte: tt.firstByte})
		if d, ok := h.Usual("m"); d != tt.want || ok != (d != 0) {
			t.Errorf("after %d: Usual = %d, %v; want %d", tt.firstByte, d, ok, tt.want)
		}
	}
	h.Report(health.Report{Host: "m", Evidence: health.Failed, FirstByte: 999})
	if d, _ := h.Usual("m"); d != 80 {
		t.Errorf("a failure counts as an answer: %d", d)
	}
}

// Memory is bounded; what goes first is healthy and was not heard of for longest.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{Hosts: 3})
		h.Report(health.Report{Host: "sick", Evidence: health.Failed})
		for i := range 1000 {
			time.Sleep(time.Second)
			h.Report(health.Report{Host: "often", Evidence: health.Alive})
			h.Report(health.Report{Host: fmt.Sprint("once-", i), Evidence: health.Alive})
		}
		var got []string
		for _, x := range h.Hosts() {
			got = append(got, x.Name)
		}
		if fmt.Sprint(got) != "[often once-999 sick]" {
			t.Errorf("hosts: %v", got)
		}
		for i := range 3 {
			h.Report(health.Report{Host: fmt.Sprint("down-", i), Evidence: health.Failed})
		}
		if n := len(h.Hosts()); n != 3 {
			t.Errorf("%d sick hosts, want 3", n)
		}
	})
}

// A flood of hosts that do not exist costs what is known of real ones for a while, and
// not for good.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health.New(health.Config{Hosts: 8})
		for i := range 8 {
			h.Report(health.Report{Host: fmt.Sprint("bogus-", i), Evidence: health.Failed})
		}
		hear := func(names ...string) (known int) {
			for _, n := range names {
				time.Sleep(time.Second)
				h.Report(health.Report{Host: n, Evidence: health.Alive, FirstByte: time.Millisecond})
			}
			for _, n := range names {
				if _, ok := h.Usual(n); ok {
					known++
				}
			}
			return known
		}
		if n := hear("a", "b"); n != 1 {
			t.Errorf("%d real hosts are known, want 1: the sick ones are kept for now", n)
		}
		time.Sleep(20 * time.Minute)
		if n := hear("a", "b", "c"); n != 3 {
			t.Errorf("%d real hosts are known after 20 min, want 3: %+v", n, h.Hosts())
		}
	})
}

func TestStateString(t *testing.T) {
	for s, want := range map[health.State]string{health.Healthy: "healthy", health.Suspect: "suspect", health.Open: "open", 99: "unknown"} {
		if got := s.String(); got != want {
			t.Errorf("%d is %q, want %q", s, got, want)
		}
	}
}

// Of many that ask at once one probes, while all report.
func TestConcurrently(t *testing.T) {
	h := health.New(health.Config{})
	h.Report(health.Report{Host: "m", Evidence: health.Failed})
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
			h.Usual("m")
			h.Hosts()
			h.Report(health.Report{Host: "other", Evidence: health.Alive, FirstByte: 1})
		})
	}
	wg.Wait()
	if probes != 1 {
		t.Errorf("%d probes, want 1", probes)
	}
}

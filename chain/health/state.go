package health

import (
	"maps"
	"slices"
	"time"
)

// State is how a host is doing.
type State uint8

// Kinds of [State].
const (
	// Healthy: the last answer was one.
	Healthy State = iota
	// Suspect: it failed, but not often enough yet to be left alone.
	Suspect
	// Open: it failed too often in a row, and is probed now and then.
	Open
)

var states = [...]string{Healthy: "healthy", Suspect: "suspect", Open: "open"}

// String is a short stable word, fit for a metric's label.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return "unknown"
}

func (h *Health) state(x *host) State {
	switch {
	case x.failures == 0:
		return Healthy
	case x.failures < h.cfg.Failures:
		return Suspect
	}
	return Open
}

// Host is what is known of one host at a moment.
type Host struct {
	Name  string // "quay.io", "[::1]:5000"
	State State  // how it is doing
	// Since is when it came into that state.
	Since time.Time
	// Failures are those in a row, the last of which was Err.
	Failures int
	Err      error
	// Usual is how long it usually takes to begin an answer; 0 if it never did.
	Usual time.Duration
	// Probing says that a probe is under way; NextProbe is when the next one may
	// be, zero for a healthy host.
	Probing   bool
	NextProbe time.Time
}

// Hosts are all hosts that something is known of, by name. It is a copy.
func (h *Health) Hosts() []Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Host, 0, len(h.hosts))
	for _, name := range slices.Sorted(maps.Keys(h.hosts)) {
		x := h.hosts[name]
		all = append(all, Host{
			Name: name, State: h.state(x), Since: x.since, Failures: x.failures, Err: x.err,
			Usual: x.usual, Probing: x.probing, NextProbe: x.due,
		})
	}
	return all
}

package health

import (
	"maps"
	"slices"
	"time"
)

// State is the state of a host.
type State uint8

// Values of [State].
const (
	// Healthy: the last attempt got an answer, or nothing is known of the host.
	Healthy State = iota
	// Suspect: the last attempt failed, but fewer failures followed one another than
	// [Config].Failures.
	Suspect
	// Unhealthy: [Config].Failures or more failures followed one another. The host is
	// probed from time to time.
	Unhealthy
)

var states = [...]string{Healthy: "healthy", Suspect: "suspect", Unhealthy: "unhealthy"}

// String returns a short word that stays the same, fit for the label of a metric.
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
	return Unhealthy
}

// Host is what is known of one host at one moment.
type Host struct {
	Name  string // "quay.io", "[::1]:5000"
	State State
	// Since is the time when the host came into this state.
	Since time.Time
	// Failures counts the failures since the last answer. Err is the last of them.
	Failures int
	Err      error
	// TypicalFirstByte is how long the host takes to begin an answer; 0 if it has
	// never answered. See [Health.TypicalFirstByte].
	TypicalFirstByte time.Duration
	// Probing is true while a probe is under way. NextProbe is the earliest time of
	// the next one; zero for a healthy host.
	Probing   bool
	NextProbe time.Time
}

// Hosts returns all known hosts, sorted by name. The slice is a copy.
func (h *Health) Hosts() []Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]Host, 0, len(h.hosts))
	for _, name := range slices.Sorted(maps.Keys(h.hosts)) {
		x := h.hosts[name]
		all = append(all, Host{
			Name: name, State: h.state(x), Since: x.since, Failures: x.failures, Err: x.err,
			TypicalFirstByte: x.typicalFirstByte, Probing: x.probing, NextProbe: x.nextProbe,
		})
	}
	return all
}

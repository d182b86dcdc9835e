package health

import (
	"sync"
	"time"
)

// Config configures a [Health]. A field that is zero or negative has its default.
type Config struct {
	// Failures is how many failures must follow one another until a host is
	// [Unhealthy]; 3 by default.
	Failures int
	// Probe is how long an unhealthy host is left alone before it is probed; 15 s by
	// default. It doubles with each probe that fails.
	Probe time.Duration
	// MaxProbe is the upper bound of Probe; 2 min by default.
	MaxProbe time.Duration
	// Hosts bounds how many hosts are remembered; 1024 by default. When there are more,
	// the one without a report for the longest time is forgotten. Healthy hosts, and
	// hosts without a report for ten times MaxProbe, are forgotten before others.
	Hosts int
}

// Health holds the states of hosts. A host is named by its address as it stands in
// references: "quay.io" or "[::1]:5000". All methods may be called from many goroutines
// at once. There are no background goroutines. [New] makes one.
type Health struct {
	cfg Config

	mu    sync.Mutex
	hosts map[string]*host
}

// host is what is known of one host. Health.mu guards it.
type host struct {
	failures         int // since the last answer
	err              error
	since            time.Time // when the state changed
	typicalFirstByte time.Duration

	probing    bool
	nextProbe  time.Time     // where there are failures
	probeDelay time.Duration // between probes, where unhealthy
	reported   time.Time     // the last report
}

// New returns a Health that knows no host.
func New(cfg Config) *Health {
	if cfg.Failures <= 0 {
		cfg.Failures = 3
	}
	if cfg.Probe <= 0 {
		cfg.Probe = 15 * time.Second
	}
	if cfg.MaxProbe <= 0 {
		cfg.MaxProbe = 2 * time.Minute
	}
	if cfg.Hosts <= 0 {
		cfg.Hosts = 1024
	}
	return &Health{cfg: cfg, hosts: make(map[string]*host)}
}

// Healthy reports whether the state of name is [Healthy]. A host that is not should be
// asked after those that are.
func (h *Health) Healthy(name string) bool { return h.State(name) == Healthy }

// State returns the state of name: [Healthy] if nothing is known of it.
func (h *Health) State(name string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.hosts[name]; x != nil {
		return h.state(x)
	}
	return Healthy
}

// TypicalFirstByte returns how long name takes to begin an answer, and false if it has
// never answered. It is a moving average: the last answer counts for a quarter.
func (h *Health) TypicalFirstByte(name string) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[name]
	if x == nil || x.typicalFirstByte == 0 {
		return 0, false
	}
	return x.typicalFirstByte, true
}

// Probe reports whether name should be probed now: it is not healthy, the time for a
// probe has come, and no other probe is under way. If it returns true, no other caller
// may probe the host until the caller has sent a [Report] with Probe set.
func (h *Health) Probe(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[name]
	if x == nil || x.failures == 0 || x.probing || time.Now().Before(x.nextProbe) {
		return false
	}
	x.probing = true
	return true
}

// Outcome is what an attempt shows about the host.
type Outcome uint8

// Values of [Outcome].
const (
	// Unknown: the attempt shows nothing. For example, the caller gave up, the server was
	// overloaded, or policy forbade to go on.
	Unknown Outcome = iota
	// Success: the host answered, and is not overloaded (429, 5xx).
	Success
	// Failure: the host did not answer.
	Failure
)

// Report describes one attempt that has ended.
type Report struct {
	// Host is the host that was asked, with its port if the reference has one.
	Host string
	// Outcome is what the attempt shows.
	Outcome Outcome
	// FirstByte is how long the host took to begin its answer; 0 if this is not known.
	FirstByte time.Duration
	// Probe is true if the attempt was a probe, see [Health.Probe].
	Probe bool
	// Err is the reason of a failure. It must hold nothing secret.
	Err error
}

// Report records an attempt. It returns the state of the host, and whether the attempt
// changed it.
func (h *Health) Report(r Report) (now State, changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[r.Host]
	if x == nil {
		if r.Outcome == Unknown {
			return Healthy, false
		}
		x = h.add(r.Host)
	}
	x.reported = time.Now()
	before := h.state(x)
	switch r.Outcome {
	case Success:
		x.failures, x.err, x.nextProbe, x.probeDelay = 0, nil, time.Time{}, 0
		x.addFirstByte(r.FirstByte)
	case Failure:
		h.fail(x, r.Err)
	case Unknown:
		if r.Probe { // the next probe waits as long as after a failure
			x.nextProbe = x.reported.Add(max(x.probeDelay, h.cfg.Probe))
		}
	}
	if r.Probe {
		x.probing = false
	}
	now = h.state(x)
	if now != before {
		x.since = x.reported
	}
	return now, now != before
}

func (h *Health) fail(x *host, err error) {
	x.failures++
	x.err = err
	switch {
	case x.failures < h.cfg.Failures:
		x.nextProbe = x.reported
	case x.probeDelay == 0: // it becomes unhealthy now
		x.probeDelay = h.cfg.Probe
		x.nextProbe = x.reported.Add(x.probeDelay)
	case !x.reported.Before(x.nextProbe): // attempts that began earlier change nothing
		x.probeDelay = min(2*x.probeDelay, max(h.cfg.MaxProbe, h.cfg.Probe))
		x.nextProbe = x.reported.Add(x.probeDelay)
	}
}

func (x *host) addFirstByte(firstByte time.Duration) {
	switch {
	case firstByte <= 0:
	case x.typicalFirstByte == 0:
		x.typicalFirstByte = firstByte
	default:
		x.typicalFirstByte += (firstByte - x.typicalFirstByte) / 4
	}
}

// add adds a host, and forgets another one if there are too many.
func (h *Health) add(name string) *host {
	if len(h.hosts) >= h.cfg.Hosts {
		h.evict()
	}
	x := &host{since: time.Now()}
	h.hosts[name] = x
	return x
}

func (h *Health) evict() {
	var name string
	var first *host
	for n, x := range h.hosts {
		if first == nil || h.goesBefore(x, first) {
			name, first = n, x
		}
	}
	delete(h.hosts, name)
}

// goesBefore reports whether a is forgotten before b.
func (h *Health) goesBefore(a, b *host) bool {
	if kept := h.kept(a); kept != h.kept(b) {
		return !kept
	}
	return a.reported.Before(b.reported)
}

// kept reports whether x failed not long ago. Older failures do not keep a host:
// otherwise somebody whose lookups name many hosts that do not exist would push out
// the real ones for good.
func (h *Health) kept(x *host) bool {
	return x.failures > 0 && time.Since(x.reported) < 10*max(h.cfg.MaxProbe, h.cfg.Probe)
}

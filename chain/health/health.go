package health

import (
	"sync"
	"time"
)

// Config configures a [Health]. What is zero or negative has the default.
type Config struct {
	// Failures in a row open a host; 3.
	Failures int
	// Probe is how long an open host is left alone before it is probed; 15 s. It
	// doubles with each probe that fails.
	Probe time.Duration
	// MaxProbe is the longest Probe becomes; 2 min.
	MaxProbe time.Duration
	// Hosts bounds how many hosts are remembered; 1024. Those go first that were not
	// heard of for longest: of the healthy ones and of those that have been silent
	// for ten times MaxProbe, else of all.
	Hosts int
}

// Health is the health of hosts, "quay.io" or "[::1]:5000". It is safe for
// concurrent use, and starts nothing in the background. New makes one.
type Health struct {
	cfg Config

	mu    sync.Mutex
	hosts map[string]*host
}

// host is what is known of one. Health.mu guards it.
type host struct {
	failures int // in a row
	err      error
	since    time.Time // of the state
	usual    time.Duration

	probing bool
	due     time.Time     // the next probe, where there are failures
	pause   time.Duration // between probes, where open
	heard   time.Time
}

// New makes a Health that knows no host.
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

// Sick reports whether name is not [Healthy]: to be asked behind those that are. A
// host that nothing is known of is healthy.
func (h *Health) Sick(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[name]
	return x != nil && x.failures > 0
}

// State is that of name; [Healthy] if nothing is known of it.
func (h *Health) State(name string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.hosts[name]; x != nil {
		return h.state(x)
	}
	return Healthy
}

// Usual is how long name usually takes to begin an answer; false if it never did.
// It is an average in which the last answer counts for a quarter.
func (h *Health) Usual(name string) (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[name]
	if x == nil || x.usual == 0 {
		return 0, false
	}
	return x.usual, true
}

// Probe reports whether name is sick and due to be probed, and if so keeps others
// from probing it. The caller must then report, with Probe set, what came of it.
func (h *Health) Probe(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[name]
	if x == nil || x.failures == 0 || x.probing || time.Now().Before(x.due) {
		return false
	}
	x.probing = true
	return true
}

// Evidence is what an attempt says of the host.
type Evidence uint8

// Kinds of [Evidence].
const (
	// Unsure: nothing, as when the caller gave up, or policy forbade to go on.
	Unsure Evidence = iota
	// Alive: it answered, whatever the answer was.
	Alive
	// Failed: it gave no answer.
	Failed
)

// Report is what came of one attempt.
type Report struct {
	// Host is whom the attempt was at, with the port where it has one.
	Host string
	// Evidence is what the attempt says of it.
	Evidence Evidence
	// FirstByte is how long it took to begin its answer; 0 if that is not known.
	FirstByte time.Duration
	// Probe says that this was a probe, see [Health.Probe].
	Probe bool
	// Err is why it failed. It must hold nothing secret.
	Err error
}

// Report learns from an attempt. It returns the state of the host, and whether
// that is another than before.
func (h *Health) Report(r Report) (now State, changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.hosts[r.Host]
	if x == nil {
		if r.Evidence == Unsure {
			return Healthy, false
		}
		x = h.add(r.Host)
	}
	x.heard = time.Now()
	before := h.state(x)
	switch r.Evidence {
	case Alive:
		x.failures, x.err, x.due, x.pause = 0, nil, time.Time{}, 0
		x.learn(r.FirstByte)
	case Failed:
		h.fail(x, r.Err)
	case Unsure:
		if r.Probe { // nothing was learnt; the next one is not sooner than after a failure
			x.due = x.heard.Add(max(x.pause, h.cfg.Probe))
		}
	}
	if r.Probe {
		x.probing = false
	}
	now = h.state(x)
	if now != before {
		x.since = x.heard
	}
	return now, now != before
}

func (h *Health) fail(x *host, err error) {
	x.failures++
	x.err = err
	switch {
	case x.failures < h.cfg.Failures:
		x.due = x.heard
	case x.pause == 0: // it opens
		x.pause = h.cfg.Probe
		x.due = x.heard.Add(x.pause)
	case !x.heard.Before(x.due): // others under way when it opened change nothing
		x.pause = min(2*x.pause, max(h.cfg.MaxProbe, h.cfg.Probe))
		x.due = x.heard.Add(x.pause)
	}
}

func (x *host) learn(firstByte time.Duration) {
	switch {
	case firstByte <= 0:
	case x.usual == 0:
		x.usual = firstByte
	default:
		x.usual += (firstByte - x.usual) / 4
	}
}

// add makes room for one more host.
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
	var oldest *host
	for n, x := range h.hosts {
		if oldest == nil || h.before(x, oldest) {
			name, oldest = n, x
		}
	}
	delete(h.hosts, name)
}

// before reports whether a is forgotten before b.
func (h *Health) before(a, b *host) bool {
	if kept := h.kept(a); kept != h.kept(b) {
		return !kept
	}
	return a.heard.Before(b.heard)
}

// kept reports whether x is sick, and that is no old story: whoever makes lookups name
// many hosts that do not exist would otherwise push out the real ones for good.
func (h *Health) kept(x *host) bool {
	return x.failures > 0 && time.Since(x.heard) < 10*max(h.cfg.MaxProbe, h.cfg.Probe)
}

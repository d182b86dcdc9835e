package metrics

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
)

// MaxHosts is how many hosts of mirrors have series of their own. Further hosts share
// one series, whose host is "other".
const MaxHosts = 128

const other = "other"

// Hosts returns a collector of the health of the hosts of mirrors. hosts returns what is
// known now, like [health.Health.Hosts]. current returns the rules in force, nil while
// there are none.
//
//	mirrorchain_mirror_host_up{host}                  1 if it is healthy, else 0; "other" if all of those are
//	mirrorchain_mirror_host_first_byte_seconds{host}  how long it typically takes to begin an answer
//
// Only hosts that the rules in force name as mirrors have series: at a disconnected site
// a source that cannot be reached is normal, and a mirror that policy does not name any
// more does not matter. A host that was never asked has no series.
func Hosts(hosts func() []health.Host, current func() *policy.Rules) prometheus.Collector {
	return &hostCollector{
		hosts: hosts, current: current,
		up: prometheus.NewDesc("mirrorchain_mirror_host_up",
			`1 if the host of a mirror is healthy, 0 if it failed when it was last asked; host "other" is those beyond a limit, together.`, []string{"host"}, nil),
		firstByte: prometheus.NewDesc("mirrorchain_mirror_host_first_byte_seconds",
			"How long the host of a mirror usually takes to begin an answer.", []string{"host"}, nil),
	}
}

type hostCollector struct {
	hosts         func() []health.Host
	current       func() *policy.Rules
	up, firstByte *prometheus.Desc
	named         atomic.Pointer[named]
}

// named holds the hosts of mirrors that rules name.
type named struct {
	of    *policy.Rules
	hosts map[string]bool
}

func (c *hostCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.up
	ch <- c.firstByte
}

func (c *hostCollector) Collect(ch chan<- prometheus.Metric) {
	rules := c.current()
	if rules == nil {
		return
	}
	mirrors := c.mirrors(rules)
	known := slices.DeleteFunc(c.hosts(), func(h health.Host) bool { return !mirrors[h.Name] })
	// Hosts that fail come first.
	slices.SortFunc(known, func(a, b health.Host) int {
		return cmp.Or(cmp.Compare(up(a), up(b)), strings.Compare(a.Name, b.Name))
	})
	gauge := func(d *prometheus.Desc, v float64, host string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, host)
	}
	for _, h := range known[:min(len(known), MaxHosts)] {
		gauge(c.up, up(h), h.Name)
		if h.TypicalFirstByte > 0 {
			gauge(c.firstByte, h.TypicalFirstByte.Seconds(), h.Name)
		}
	}
	if len(known) > MaxHosts {
		gauge(c.up, up(known[MaxHosts]), other) // after a healthy one there are only healthy ones
	}
}

func up(h health.Host) float64 {
	if h.State == health.Healthy {
		return 1
	}
	return 0
}

// mirrors returns the hosts that the rules name. It computes them once for each snapshot.
func (c *hostCollector) mirrors(rules *policy.Rules) map[string]bool {
	if n := c.named.Load(); n != nil && n.of == rules {
		return n.hosts
	}
	hosts := make(map[string]bool)
	for s := range rules.Merged() {
		for _, m := range slices.Concat(s.DigestMirrors, s.TagMirrors) {
			host, _, _ := strings.Cut(m.Location, "/")
			hosts[host] = true
		}
	}
	c.named.Store(&named{rules, hosts})
	return hosts
}

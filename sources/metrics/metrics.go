// Package metrics tells Prometheus how policy sources are: whether what they say is
// in force, when they were last read, which version of the rules lookups go by and
// since when. The metrics are on a registry that is passed in.
package metrics

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mirrorchain/mirrorchain/sources"
)

// Register makes reg collect metrics of r, until unregister is called. One
// resolver at a time can be on a registry; a second one is an error.
//
//	mirrorchain_source_in_force{source}                     1 if what the source says now is in force
//	mirrorchain_source_followed{source}                     1 if changes of it are told at once
//	mirrorchain_source_last_good_timestamp_seconds{source}  when it was last read; 0 if never
//	mirrorchain_source_entries{source,kind}                 what it states: rule, insecure, blocked
//	mirrorchain_rules_info{version}                         1 for the version in force
//	mirrorchain_rules_changed_timestamp_seconds             when that last changed
//
// There are as many sources as the resolver was given, and one version at a time.
func Register(reg prometheus.Registerer, r *sources.Resolver) (unregister func(), err error) {
	c := collector{r}
	if err := reg.Register(c); err != nil {
		return nil, fmt.Errorf("metrics of the mirror rules: %w", err)
	}
	return func() { reg.Unregister(c) }, nil
}

// collector asks the resolver whenever metrics are asked for.
type collector struct{ resolver *sources.Resolver }

func (collector) metric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mirrorchain_"+name, help, labels, nil)
}

func (c collector) inForce() *prometheus.Desc {
	return c.metric("source_in_force", "1 if the mirror policies of the source are in force as they stand now, else 0.", "source")
}

func (c collector) lastGood() *prometheus.Desc {
	return c.metric("source_last_good_timestamp_seconds", "When the source was last read, 0 if never.", "source")
}

func (c collector) watched() *prometheus.Desc {
	return c.metric("source_followed", "1 if changes of the source are told at once, 0 while following it fails.", "source")
}

func (c collector) entries() *prometheus.Desc {
	return c.metric("source_entries", "Entries that the source states, by kind: rule, insecure, blocked.", "source", "kind")
}

func (c collector) rules() *prometheus.Desc {
	return c.metric("rules_info", "1 for the version of the rules in force; absent while there are none.", "version")
}

func (c collector) since() *prometheus.Desc {
	return c.metric("rules_changed_timestamp_seconds", "When the version of the rules in force last changed; absent while there are none.")
}

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.inForce(), c.lastGood(), c.watched(), c.entries(), c.rules(), c.since()} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	seconds := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return float64(t.UnixMilli()) / 1000
	}
	seen := make(map[string]int)
	for _, s := range c.resolver.Status() {
		s.Name = label(s.Name, seen)
		gauge(c.inForce(), truth(s.Loaded && s.Err == nil), s.Name)
		gauge(c.lastGood(), seconds(s.LastGood), s.Name)
		gauge(c.watched(), truth(s.WatchErr == nil), s.Name)
		gauge(c.entries(), float64(s.Rules), s.Name, "rule")
		gauge(c.entries(), float64(s.Insecure), s.Name, "insecure")
		gauge(c.entries(), float64(s.Blocked), s.Name, "blocked")
	}
	if rules := c.resolver.Current(); rules != nil {
		gauge(c.rules(), 1, rules.Version())
		gauge(c.since(), seconds(c.resolver.Since()))
	}
}

// label returns name as the value of a label, which must be UTF-8, and one series each
// where sources share a name.
func label(name string, seen map[string]int) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if seen[name]++; seen[name] > 1 {
		name = fmt.Sprintf("%s (%d)", name, seen[name])
	}
	return name
}

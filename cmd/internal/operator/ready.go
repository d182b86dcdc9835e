package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/mirrorchain/mirrorchain/sources"
)

// readiness fails while a source has not loaded or is not in force as it stands now.
// The operator goes on with the last good rules then; that it is not ready keeps a
// rollout from going on with it.
func readiness(r *sources.Resolver) healthz.Checker {
	return func(*http.Request) error {
		var errs []error
		for _, s := range r.Status() {
			switch {
			case s.Err != nil:
				errs = append(errs, fmt.Errorf("source %s: %w", s.Name, s.Err))
			case !s.Loaded:
				errs = append(errs, fmt.Errorf("source %s has not loaded yet", s.Name))
			}
		}
		return errors.Join(errs...)
	}
}

// report has reg collect how the sources are until ctx ends.
func report(ctx context.Context, r *sources.Resolver, reg prometheus.Registerer) error {
	c := collector{r}
	if err := reg.Register(c); err != nil {
		return fmt.Errorf("metrics of the mirror rules: %w", err)
	}
	defer reg.Unregister(c)
	<-ctx.Done()
	return nil
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

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.inForce(), c.lastGood(), c.watched(), c.entries(), c.rules()} {
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
	for _, s := range c.resolver.Status() {
		var at float64
		if !s.LastGood.IsZero() {
			at = float64(s.LastGood.UnixMilli()) / 1000
		}
		gauge(c.inForce(), truth(s.Loaded && s.Err == nil), s.Name)
		gauge(c.lastGood(), at, s.Name)
		gauge(c.watched(), truth(s.WatchErr == nil), s.Name)
		gauge(c.entries(), float64(s.Rules), s.Name, "rule")
		gauge(c.entries(), float64(s.Insecure), s.Name, "insecure")
		gauge(c.entries(), float64(s.Blocked), s.Name, "blocked")
	}
	if rules := c.resolver.Current(); rules != nil {
		gauge(c.rules(), 1, rules.Version())
	}
}

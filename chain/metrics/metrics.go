// Package metrics counts for Prometheus what happens in a chain: an Observer for
// [chain.Observe] whose metrics are on a registry that is passed in.
//
// Labels have few values, whatever is looked up: results, error classes, kinds of
// endpoint. No image, no host and no tenant is among them.
package metrics

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Observer is a [chain.Observer] that counts. It is safe for concurrent use, and may
// be the observer of several chains, which are counted together.
type Observer struct {
	lookups     *prometheus.HistogramVec
	served      *prometheus.CounterVec
	attempts    *prometheus.HistogramVec
	cache       *prometheus.CounterVec
	store       *prometheus.CounterVec
	retries     prometheus.Counter
	panics      prometheus.Counter
	unregister  func()
	cacheEvents map[chain.EventKind]prometheus.Counter
}

var _ chain.Observer = (*Observer)(nil)

// Buckets of durations in seconds: from a warm lookup, a microsecond, to the limit of
// an attempt.
var buckets = []float64{1e-6, 1e-5, 1e-4, 1e-3, 5e-3, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60}

// New registers the metrics on reg; that one of them is registered already is an
// error, and then none of them is left there. [Observer.Unregister] takes them back.
//
//	mirrorchain_lookup_duration_seconds{result}   lookups, by result: ok, stale, or the class of the error
//	mirrorchain_served_total{by}                  releases, by what answered: mirror, source
//	mirrorchain_attempt_duration_seconds{result}  endpoints asked, by result: ok, or the class of the error
//	mirrorchain_cache_total{outcome}              lookups at the cache: hit, miss, joined, stale
//	mirrorchain_store_total{outcome}              content at the store: hit, miss
//	mirrorchain_retries_total                     waits before candidates are asked again
//	mirrorchain_panics_total                      panics in work shared between callers
func New(reg prometheus.Registerer) (*Observer, error) {
	histogram := func(name, help, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "mirrorchain", Name: name, Help: help, Buckets: buckets,
		}, []string{label})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "mirrorchain", Name: name, Help: help}, labels)
	}
	o := &Observer{
		lookups:  histogram("lookup_duration_seconds", "How long lookups took, by result: ok, stale, or the class of the error.", "result"),
		served:   counter("served_total", "Releases served, by what answered: mirror or source.", "by"),
		attempts: histogram("attempt_duration_seconds", "How long endpoints took to answer, by result: ok, or the class of the error.", "result"),
		cache:    counter("cache_total", "Lookups at the cache, by outcome: hit, miss, joined (another caller's work) or stale.", "outcome"),
		store:    counter("store_total", "Content at the store, by outcome: hit or miss.", "outcome"),
	}
	retries := counter("retries_total", "Waits before candidates that may recover were asked again.")
	panics := counter("panics_total", "Panics in work shared between callers.")
	o.retries, o.panics = retries.WithLabelValues(), panics.WithLabelValues()
	o.cacheEvents = map[chain.EventKind]prometheus.Counter{
		chain.CacheHit:    o.cache.WithLabelValues("hit"),
		chain.CacheMiss:   o.cache.WithLabelValues("miss"),
		chain.CacheJoined: o.cache.WithLabelValues("joined"),
		chain.CacheStale:  o.cache.WithLabelValues("stale"),
		chain.StoreHit:    o.store.WithLabelValues("hit"),
		chain.StoreMiss:   o.store.WithLabelValues("miss"),
	}
	all := []prometheus.Collector{o.lookups, o.served, o.attempts, o.cache, o.store, retries, panics}
	for i, c := range all {
		if err := reg.Register(c); err != nil {
			unregister(reg, all[:i])
			return nil, fmt.Errorf("metrics of the chain: %w", err)
		}
	}
	o.unregister = func() { unregister(reg, all) }
	return o, nil
}

func unregister(reg prometheus.Registerer, all []prometheus.Collector) {
	for _, c := range all {
		reg.Unregister(c)
	}
}

// Unregister takes the metrics from the registry that they are on.
func (o *Observer) Unregister() { o.unregister() }

// Observe counts e.
func (o *Observer) Observe(_ context.Context, e chain.Event) {
	if c, ok := o.cacheEvents[e.Kind]; ok {
		c.Inc()
		return
	}
	switch e.Kind {
	case chain.LookupDone:
		o.lookups.WithLabelValues(resultOf(&e)).Observe(e.Took.Seconds())
		if e.Err == nil && e.Release != nil {
			o.served.WithLabelValues(servedBy(e.Release)).Inc()
		}
	case chain.AttemptDone:
		o.attempts.WithLabelValues(resultOf(&e)).Observe(e.Took.Seconds())
	case chain.RetryWaiting:
		o.retries.Inc()
	case chain.Panicked:
		o.panics.Inc()
	}
}

func resultOf(e *chain.Event) string {
	switch {
	case e.Err != nil && errors.Is(e.Err, provider.ErrNoRules):
		return "no-rules"
	case e.Err != nil:
		return provider.ClassOf(e.Err).String()
	case e.Release != nil && e.Release.Stale():
		return "stale"
	}
	return "ok"
}

func servedBy(r *provider.Release) string {
	if r.PulledFrom() == r.Image().Normalize() {
		return "source"
	}
	return "mirror"
}

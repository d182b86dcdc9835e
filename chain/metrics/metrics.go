// Package metrics exports metrics of a chain to Prometheus: an [Observer] counts what
// happens in it, and [Hosts] collects the health of the hosts of mirrors. The caller
// passes the registry of the metrics.
//
// Labels have few values, whatever is looked up: results, classes of errors, kinds of
// endpoint, and at most [MaxHosts] hosts that the rules in force name. No image and no
// tenant is a label.
package metrics

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Observer is a [chain.Observer] that counts events, and a [prometheus.Collector] of its
// counters. It is safe for concurrent use. It may be the observer of several chains,
// which are then counted together.
//
// All series exist from the start, so that the first event of a kind is an increase like
// any other.
type Observer struct {
	lookups    *prometheus.CounterVec
	lookupTime prometheus.Histogram
	served     *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	attempt    *prometheus.HistogramVec
	credential *prometheus.CounterVec
	events     map[chain.EventKind]prometheus.Counter
	all        []prometheus.Collector
	unregister func()
}

var (
	_ chain.Observer       = (*Observer)(nil)
	_ prometheus.Collector = (*Observer)(nil)
)

// Buckets of durations in seconds: from a warm lookup, a microsecond, to the limit of
// an attempt.
var buckets = []float64{1e-6, 1e-5, 1e-4, 1e-3, 5e-3, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60}

// Values of labels other than classes of errors.
const (
	ok, stale, noRules = "ok", "stale", "no-rules"
	mirror, source     = "mirror", "source"
)

// New returns an observer, and registers it on reg unless that is nil. It is an error if
// the metrics are registered already. [Observer.Unregister] removes them.
//
//	mirrorchain_lookups_total{result}               lookups, by result: ok, stale, no-rules, or the class of the error
//	mirrorchain_lookup_duration_seconds             how long they took
//	mirrorchain_served_total{by}                    releases, by what answered, now or when they were read: mirror, source
//	mirrorchain_attempts_total{endpoint,result}     endpoints asked, mirror or source, by result: ok, or the class of the error
//	mirrorchain_attempt_duration_seconds{endpoint}  how long they took
//	mirrorchain_attempt_credentials_total{credential}  endpoints asked, by whose credential: tenant, mirror, operator
//	mirrorchain_cache_total{outcome}                lookups at the cache: hit, miss, joined, stale
//	mirrorchain_store_total{outcome}                content at the store: hit, miss
//	mirrorchain_hedges_total                        mirrors asked because others were silent
//	mirrorchain_retries_total                       waits before candidates are asked again
//	mirrorchain_panics_total                        panics in work shared between callers
//	mirrorchain_signatures_refused_total            answers of endpoints without a good signature, used or not
func New(reg prometheus.Registerer) (*Observer, error) {
	o := &Observer{events: make(map[chain.EventKind]prometheus.Counter), unregister: func() {}}
	o.lookups = o.counter("lookups_total", "Lookups, by result: ok, stale, no-rules, or the class of the error.", "result")
	o.lookupTime = prometheus.NewHistogram(histogram("lookup_duration_seconds", "How long lookups took."))
	o.served = o.counter("served_total", "Releases served, by what answered, now or when they were read: mirror or source.", "by")
	o.attempts = o.counter("attempts_total", "Endpoints asked, mirror or source, by result: ok, or the class of the error.", "endpoint", "result")
	o.attempt = prometheus.NewHistogramVec(histogram("attempt_duration_seconds", "How long endpoints took, mirror or source."), []string{"endpoint"})
	o.credential = o.counter("attempt_credentials_total", "Endpoints asked, by whose credential: tenant (the pull secret, or none), mirror or operator.", "credential")
	o.all = append(o.all, o.lookupTime, o.attempt)

	cache := o.counter("cache_total", "Lookups at the cache, by outcome: hit, miss, joined (another caller's work) or stale.", "outcome")
	o.events[chain.CacheHit] = cache.WithLabelValues("hit")
	o.events[chain.CacheMiss] = cache.WithLabelValues("miss")
	o.events[chain.CacheJoined] = cache.WithLabelValues("joined")
	o.events[chain.CacheStale] = cache.WithLabelValues("stale")
	store := o.counter("store_total", "Content at the store, by outcome: hit or miss.", "outcome")
	o.events[chain.StoreHit] = store.WithLabelValues("hit")
	o.events[chain.StoreMiss] = store.WithLabelValues("miss")
	o.events[chain.HedgeStarted] = o.counter("hedges_total", "Mirrors asked because those asked before were silent.").WithLabelValues()
	o.events[chain.RetryWaiting] = o.counter("retries_total", "Waits before candidates that may recover were asked again.").WithLabelValues()
	o.events[chain.Panicked] = o.counter("panics_total", "Panics in work shared between callers.").WithLabelValues()

	o.events[chain.SignatureRefused] = o.counter("signatures_refused_total", "Answers of endpoints whose signature is missing or refused, whether they are used or not.").WithLabelValues()

	o.present()
	if reg == nil {
		return o, nil
	}
	if err := reg.Register(o); err != nil {
		return nil, fmt.Errorf("metrics of the chain: %w", err)
	}
	o.unregister = func() { reg.Unregister(o) }
	return o, nil
}

func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: "mirrorchain", Name: name, Help: help, Buckets: buckets}
}

func (o *Observer) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "mirrorchain", Name: name, Help: help}, labels)
	o.all = append(o.all, c)
	return c
}

// present creates the series of labels whose values are known.
func (o *Observer) present() {
	results := []string{ok}
	for c := provider.ClassUnknown; c <= provider.ClassInvalid; c++ {
		results = append(results, c.String())
	}
	for _, r := range append(results[:len(results):len(results)], stale, noRules) {
		o.lookups.WithLabelValues(r)
	}
	for owner := provider.CredentialTenant; owner <= provider.CredentialOperator; owner++ {
		o.credential.WithLabelValues(owner.String())
	}
	for _, kind := range []string{mirror, source} {
		o.served.WithLabelValues(kind)
		o.attempt.WithLabelValues(kind)
		for _, r := range results {
			o.attempts.WithLabelValues(kind, r)
		}
	}
}

// Unregister removes the metrics from the registry that was passed to [New].
func (o *Observer) Unregister() { o.unregister() }

// Describe implements [prometheus.Collector].
func (o *Observer) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range o.all {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (o *Observer) Collect(ch chan<- prometheus.Metric) {
	for _, c := range o.all {
		c.Collect(ch)
	}
}

// Observe counts e.
func (o *Observer) Observe(_ context.Context, e chain.Event) {
	if c, ok := o.events[e.Kind]; ok {
		c.Inc()
		return
	}
	switch e.Kind {
	case chain.LookupDone:
		o.lookups.WithLabelValues(resultOf(&e)).Inc()
		o.lookupTime.Observe(e.Took.Seconds())
		if e.Err == nil && e.Release != nil {
			kind := mirror
			if e.Release.PulledFrom() == e.Release.Image().Normalize() {
				kind = source
			}
			o.served.WithLabelValues(kind).Inc()
		}
	case chain.AttemptDone:
		kind := mirror
		if e.Ref == e.Image.Normalize() {
			kind = source
		}
		o.attempts.WithLabelValues(kind, resultOf(&e)).Inc()
		o.attempt.WithLabelValues(kind).Observe(e.Took.Seconds())
		o.credential.WithLabelValues(e.Credential.String()).Inc()
	}
}

func resultOf(e *chain.Event) string {
	switch {
	case e.Err != nil && errors.Is(e.Err, provider.ErrNoRules):
		return noRules
	case e.Err != nil:
		return provider.ClassOf(e.Err).String()
	case e.Release != nil && e.Release.Stale():
		return stale
	}
	return ok
}

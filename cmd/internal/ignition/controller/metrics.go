package controller

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// Metrics are the metrics of HyperShift's ignition server, under its names.
type Metrics struct {
	requests  *prometheus.CounterVec
	rotations prometheus.Counter
	misses    prometheus.Counter
	seconds   prometheus.Histogram
	kept      prometheus.GaugeFunc
}

// NewMetrics makes the metrics; see [Metrics.Register].
func NewMetrics(store *tokens.Store) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ign_server_get_request", Help: "Payloads served, by the node pool that they were made for.",
		}, []string{"nodePool"}),
		rotations: counter("ign_server_token_rotation_total", "Tokens replaced because of their age."),
		misses:    counter("ign_server_payload_cache_miss_total", "Payloads that had to be made, or tried to be."),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ign_server_payload_generation_seconds", Help: "How long payloads took that were made.",
			Buckets: []float64{5, 15, 30, 45, 60},
		}),
		kept: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ign_server_payload_cache_total", Help: "Tokens that a payload is served under.",
		}, func() float64 { return float64(store.Len()) }),
	}
}

// Get counts a payload served: it is [httpserver.Metrics].
func (m *Metrics) Get(nodePool string) { m.requests.WithLabelValues(nodePool).Inc() }

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.rotations, m.misses, m.seconds, m.kept}
}

// Register registers the metrics with reg until remove is called.
func (m *Metrics) Register(reg prometheus.Registerer) (remove func(), err error) {
	remove = func() {
		for _, c := range m.all() {
			reg.Unregister(c)
		}
	}
	var errs []error
	for _, c := range m.all() {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		remove()
		return nil, fmt.Errorf("metrics of the ignition server: %w", err)
	}
	return remove, nil
}

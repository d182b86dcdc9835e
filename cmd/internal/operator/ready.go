package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/metrics"
)

// readiness returns [NotInForce] as a check. The operator goes on with the last good rules then; that it
// is not ready keeps a rollout from going on with it.
func readiness(r *sources.Resolver) healthz.Checker {
	return func(*http.Request) error { return NotInForce(r) }
}

// NotInForce names the sources that have not loaded yet or are not in force as they stand
// now, each with its error. It is nil if all is well.
func NotInForce(r *sources.Resolver) error {
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

// report has reg collect how the sources are, and more, until ctx ends.
func report(ctx context.Context, r *sources.Resolver, reg prometheus.Registerer, more ...prometheus.Collector) error {
	unregister, err := metrics.Register(reg, r)
	if err != nil {
		return err
	}
	defer unregister()
	for _, c := range more {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("metrics of the operator: %w", err)
		}
		defer reg.Unregister(c)
	}
	<-ctx.Done()
	return nil
}

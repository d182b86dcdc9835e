// Package scrape reads what operators serve to Prometheus, and compares it with the
// table of metrics in docs/operators.md.
//
// It is no client of Prometheus, and evaluates nothing.
package scrape

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Families are metrics by name.
type Families map[string]*dto.MetricFamily

// Get reads http://ADDR/metrics.
func Get(ctx context.Context, addr string) (Families, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(resp.Body)
}

// Series returns how many there are of names with the prefix.
func (f Families) Series(prefix string) (n int) {
	for name, family := range f {
		if strings.HasPrefix(name, prefix) {
			n += len(family.Metric)
		}
	}
	return n
}

// Value returns that of the one series with the name and labels, each KEY=VALUE. Of a
// histogram it returns how often it was observed.
func (f Families) Value(name string, labels ...string) (float64, error) {
	slices.Sort(labels)
	for _, m := range f[name].GetMetric() {
		var have []string
		for _, l := range m.Label {
			have = append(have, l.GetName()+"="+l.GetValue())
		}
		slices.Sort(have)
		if !slices.Equal(have, labels) {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.Counter.GetValue(), nil
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount()), nil
		}
		return m.Gauge.GetValue(), nil
	}
	return 0, fmt.Errorf("there is no %s%v", name, labels)
}

// Names returns those with one of the prefixes, as documentation has them:
// "name{label,label}", sorted.
func (f Families) Names(prefixes ...string) (out []string) {
	for name, family := range f {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			continue
		}
		labels := map[string]bool{}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				labels[l.GetName()] = true
			}
		}
		if len(labels) > 0 {
			name += "{" + strings.Join(slices.Sorted(maps.Keys(labels)), ",") + "}"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Lookups returns errors if f lacks what every operator tells after a lookup that a
// mirror at host answered, with rules from source: the lookup with its result and who
// answered, the cache, the host, the rules and where they come from.
func (f Families) Lookups(host, source string) error {
	var errs []error
	atLeast := func(least float64, name string, labels ...string) {
		v, err := f.Value(name, labels...)
		if err == nil && v < least {
			err = fmt.Errorf("%s%v is %g, want %g at least", name, labels, v, least)
		}
		errs = append(errs, err)
	}
	atLeast(1, "mirrorchain_lookups_total", "result=ok")
	atLeast(1, "mirrorchain_lookup_duration_seconds")
	atLeast(1, "mirrorchain_served_total", "by=mirror")
	atLeast(1, "mirrorchain_attempts_total", "endpoint=mirror", "result=ok")
	atLeast(0, "mirrorchain_attempts_total", "endpoint=mirror", "result=digest")
	atLeast(1, "mirrorchain_attempt_duration_seconds", "endpoint=mirror")
	atLeast(1, "mirrorchain_mirror_host_up", "host="+host)
	atLeast(0, "mirrorchain_cache_total", "outcome=hit")
	atLeast(1, "mirrorchain_cache_total", "outcome=miss")
	atLeast(1, "mirrorchain_source_in_force", "source="+source)
	atLeast(1, "mirrorchain_source_last_good_timestamp_seconds", "source="+source)
	atLeast(1, "mirrorchain_rules_changed_timestamp_seconds")
	if n := len(f["mirrorchain_rules_info"].GetMetric()); n != 1 {
		errs = append(errs, fmt.Errorf("%d versions of the rules in force", n))
	}
	return errors.Join(errs...)
}

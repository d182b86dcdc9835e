package monitoring

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

// world is what Prometheus has scraped, each minute from the epoch on: values as in
// its own unit tests, by series.
type world map[string]string

// with returns w with other series, or others for the same.
func (w world) with(others world) world {
	out := maps.Clone(w)
	maps.Copy(out, others)
	for name, values := range out {
		if values == "" {
			delete(out, name)
		}
	}
	return out
}

// prometheus evaluates.
type prometheus struct {
	engine *promql.Engine
	data   storage.Queryable
}

func load(t *testing.T, w world) prometheus {
	t.Helper()
	var text strings.Builder
	text.WriteString("load 1m\n")
	for _, name := range slices.Sorted(maps.Keys(w)) {
		fmt.Fprintf(&text, "  %s %s\n", name, w[name])
	}
	data := promqltest.LoadedStorage(t, text.String())
	t.Cleanup(func() {
		if err := data.Close(); err != nil {
			t.Error(err)
		}
	})
	return prometheus{promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000), data}
}

// eval returns what expr is at a time.
func (p prometheus) eval(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	q, err := p.engine.NewInstantQuery(t.Context(), p.data, nil, expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer q.Close()
	v, err := q.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return slices.Clone(v)
}

// firing returns those that fire at a minute, with their labels.
func (p prometheus) firing(t *testing.T, rules []rulefmt.Rule, minute int) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, r := range rules {
		since := map[string]time.Time{}
		for m := range minute + 1 {
			now := time.Unix(0, 0).Add(time.Duration(m) * time.Minute)
			active := map[string]bool{}
			for _, s := range p.eval(t, r.Expr, now) {
				labels := s.Metric.String()
				active[labels] = true
				if _, ok := since[labels]; !ok {
					since[labels] = now
				}
				if m == minute && now.Sub(since[labels]) >= time.Duration(r.For) {
					out[r.Alert+labels] = true
				}
			}
			maps.DeleteFunc(since, func(labels string, _ time.Time) bool { return !active[labels] })
		}
	}
	return out
}

// selectors returns the metrics that an expression selects, with the labels that it
// selects or groups by in all of it.
func selectors(t *testing.T, expr string) (names []string, labels []string) {
	t.Helper()
	e, err := parser.ParseExpr(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			names = append(names, n.Name)
			for _, m := range n.LabelMatchers {
				if m.Name != "__name__" {
					labels = append(labels, m.Name)
				}
			}
		case *parser.AggregateExpr:
			labels = append(labels, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				labels = append(labels, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	return names, labels
}

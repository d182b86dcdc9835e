package monitoring

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Grafana's variables, with values that a browser might have chosen.
var variables = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$container", ".*")

// Panels have their own ids and places, say what they show, and show something of a
// site where all is well.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.Title == "" || d.Schema < 36 {
		t.Errorf("uid %q, title %q, schema %d", d.UID, d.Title, d.Schema)
	}
	p := load(t, healthy())
	ids := map[int]bool{}
	titles := map[string]bool{}
	for i, a := range d.Panels {
		if a.ID <= 0 || ids[a.ID] {
			t.Errorf("%s: id %d", a.Title, a.ID)
		}
		ids[a.ID] = true
		if a.Title == "" || titles[a.Title] {
			t.Errorf("title %q", a.Title)
		}
		titles[a.Title] = true
		g := a.GridPos
		if g.W <= 0 || g.H <= 0 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			t.Errorf("%s: is at %+v", a.Title, g)
		}
		for _, b := range d.Panels[:i] {
			h := b.GridPos
			if g.X < h.X+h.W && h.X < g.X+g.W && g.Y < h.Y+h.H && h.Y < g.Y+g.H {
				t.Errorf("%s and %s overlap", a.Title, b.Title)
			}
		}
		if a.Type == "row" {
			continue
		}
		if !slices.Contains([]string{"timeseries", "stat", "table", "state-timeline"}, a.Type) || a.Description == "" || len(a.Targets) == 0 {
			t.Errorf("%s: type %q, description %q, %d queries", a.Title, a.Type, a.Description, len(a.Targets))
		}
		p.show(t, a)
	}
}

var legend = regexp.MustCompile(`\{\{(\w+)\}\}`)

func (p prometheus) show(t *testing.T, a panel) {
	t.Helper()
	const source = "${datasource}"
	refs := map[string]bool{}
	for _, q := range a.Targets {
		if refs[q.RefID] || q.RefID == "" {
			t.Errorf("%s: refId %q", a.Title, q.RefID)
		}
		refs[q.RefID] = true
		if a.Datasource.UID != source || q.Datasource.UID != source || q.Datasource.Type != "prometheus" {
			t.Errorf("%s: data sources %q, %q", a.Title, a.Datasource.UID, q.Datasource.UID)
		}
		expr := variables.Replace(q.Expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: an unknown variable in %s", a.Title, q.Expr)
		}
		known(t, a.Title, expr)
		shown := p.eval(t, expr, time.Unix(0, 0).Add(2*time.Hour))
		if len(shown) == 0 {
			t.Errorf("%s: nothing to show for %s", a.Title, q.Expr)
			continue
		}
		for _, m := range legend.FindAllStringSubmatch(q.Legend, -1) {
			if !shown[0].Metric.Has(m[1]) {
				t.Errorf("%s: %s has no label %s", a.Title, shown[0].Metric, m[1])
			}
		}
	}
}

// The data source can be chosen, and what panels ask by.
func TestVariables(t *testing.T) {
	want := map[string]string{"datasource": "datasource", "namespace": "query", "container": "query"}
	ask := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range readDashboard(t).Templating.List {
		if want[v.Name] != v.Type {
			t.Errorf("variable %s is a %s", v.Name, v.Type)
		}
		delete(want, v.Name)
		if v.Type == "datasource" {
			if v.Query != "prometheus" {
				t.Errorf("data sources are %v", v.Query)
			}
			continue
		}
		m := ask.FindStringSubmatch(v.Definition)
		if m == nil || m[2] != v.Name {
			t.Errorf("variable %s is %q", v.Name, v.Definition)
			continue
		}
		known(t, "variable "+v.Name, variables.Replace(m[1]))
	}
	if len(want) > 0 {
		t.Errorf("there are no variables %v", want)
	}
}

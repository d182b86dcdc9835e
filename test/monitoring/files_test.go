package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"gopkg.in/yaml.v3"
)

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alerts returns the rules as Prometheus reads them, strictly.
func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	var object struct {
		Kind string    `yaml:"kind"`
		Spec yaml.Node `yaml:"spec"`
	}
	if err := yaml.Unmarshal(read(t, "deploy", "components", "monitoring", "prometheusrule.yaml"), &object); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(&object.Spec)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.LegacyValidation)
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() || object.Kind != "PrometheusRule" {
		t.FailNow()
	}
	var all []rulefmt.Rule
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// dashboard is what the tests know of the dashboard.
type dashboard struct {
	UID        string `json:"uid"`
	Title      string `json:"title"`
	Schema     int    `json:"schemaVersion"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Query      any    `json:"query"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID          int                      `json:"id"`
	Type        string                   `json:"type"`
	Title       string                   `json:"title"`
	Description string                   `json:"description"`
	GridPos     struct{ X, Y, W, H int } `json:"gridPos"`
	Datasource  struct{ Type, UID string }
	Targets     []struct {
		RefID      string `json:"refId"`
		Expr       string `json:"expr"`
		Legend     string `json:"legendFormat"`
		Datasource struct{ Type, UID string }
	} `json:"targets"`
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal(read(t, "deploy", "components", "monitoring", "dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// metric is one that is documented.
type metric struct {
	labels    []string
	histogram bool
}

var metricRow = regexp.MustCompile("(?m)^\\| `((?:mirrorchain|ign_server)_[a-z_]+)(?:\\{([a-zA-Z,]+)\\})?` \\| (.*)$")

// documented returns the metrics of docs/operators.md. Tests of the binaries compare the
// page with what these serve.
func documented(t *testing.T) map[string]metric {
	t.Helper()
	all := map[string]metric{}
	for _, m := range metricRow.FindAllStringSubmatch(string(read(t, "docs", "operators.md")), -1) {
		x := metric{histogram: strings.HasPrefix(m[3], "a histogram")}
		if m[2] != "" {
			x.labels = strings.Split(m[2], ",")
		}
		all[m[1]] = x
	}
	if len(all) < 10 {
		t.Fatalf("docs/operators.md has %d metrics", len(all))
	}
	return all
}

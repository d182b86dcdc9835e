package monitoring

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// What happens on a site, and which alerts fire at that minute, all others not.
func TestAlerts(t *testing.T) {
	const (
		gone    = "_x300"
		hyper   = `{container="operator", namespace="hypershift"`
		oneCPO  = `{container="control-plane-operator", namespace="clusters-one"`
		oneIgn  = `{container="ignition-server", namespace="clusters-one"`
		mirror  = `endpoint="mirror"`
		source  = `endpoint="source"`
		ok      = `,result="ok"`
		unreach = `,result="unreachable"`
	)
	fired := map[string]bool{}
	for _, c := range []struct {
		name   string
		world  world
		minute int
		want   []string
	}{
		{"nothing", nil, 180, nil},
		{"a source is away, for a little", world{x("mirrorchain_source_in_force", operator, `source="idms"`): "1x60 0x240"}, 70, nil},
		{"a source is away", world{x("mirrorchain_source_in_force", operator, `source="idms"`): "1x180 0x120"}, 200, []string{"MirrorchainSourceNotInForce" + hyper + `, source="idms"}`}},
		{"a source is away for an hour", world{x("mirrorchain_source_in_force", operator, `source="idms"`): "1x180 0x120"}, 250, []string{"MirrorchainRulesOld" + hyper + `, source="idms"}`, "MirrorchainSourceNotInForce" + hyper + `, source="idms"}`}},
		{"a source was away", world{x("mirrorchain_source_in_force", operator, `source="idms"`): "1x60 0x60 1x180"}, 130, nil},
		{"a source is not followed", world{x("mirrorchain_source_followed", cpo, `source="idms"`): "1x60 0x240"}, 80,
			[]string{"MirrorchainSourceNotFollowed" + oneCPO + `, source="idms"}`}},
		{"a replica has no rules", world{
			x("mirrorchain_rules_info", standby, `version="a1"`): gone, x("mirrorchain_rules_changed_timestamp_seconds", standby): gone,
		}, 30, []string{"MirrorchainNoRules" + hyper + "}"}},
		{"the rules change", world{
			x("mirrorchain_rules_info", operator, `version="a1"`): "1x60 _x240", x("mirrorchain_rules_info", operator, `version="b2"`): "_x61 1x239",
		}, 70, nil},
		{"lookups fail", world{x("mirrorchain_lookups_total", cpo, `result="not-found"`): "0x60 0+6x240"}, 100,
			[]string{"MirrorchainLookupsFailing" + oneCPO + "}"}},
		{"lookups fail now and then", world{x("mirrorchain_lookups_total", cpo, `result="not-found"`): "0+1x300"}, 100, nil},
		{"callers give up", world{x("mirrorchain_lookups_total", cpo, `result="canceled"`): "0+60x300"}, 100, nil},
		{"stale answers", world{x("mirrorchain_lookups_total", operator, `result="stale"`): "0x60 0+1x240"}, 80,
			[]string{"MirrorchainStaleAnswers" + hyper + "}"}},
		{"mirrors that have nothing", world{
			x("mirrorchain_attempts_total", operator, mirror+ok): "0x300", x("mirrorchain_attempts_total", operator, mirror+unreach): "0+6x300",
			x("mirrorchain_attempts_total", operator, source+ok): "0+6x300",
		}, 60, []string{"MirrorchainMirrorsBypassed" + hyper + "}"}},
		{"one mirror of two has nothing", world{
			x("mirrorchain_attempts_total", operator, mirror+unreach): "0+6x300", x("mirrorchain_attempts_total", operator, source+ok): "0+1x300",
		}, 60, nil},
		{"no mirrors", world{
			x("mirrorchain_attempts_total", operator, mirror+ok): "0x300", x("mirrorchain_attempts_total", operator, source+ok): "0+6x300",
		}, 60, nil},
		{"a mirror is down", world{x("mirrorchain_mirror_host_up", operator, `host="m.test"`): "1x60 0x240"}, 80,
			[]string{"MirrorchainMirrorHostDown" + `{container="operator", host="m.test", namespace="hypershift"}`}},
		{"a mirror is down for one replica", world{
			x("mirrorchain_mirror_host_up", operator, `host="m.test"`): "0x300", x("mirrorchain_mirror_host_up", standby, `host="m.test"`): "1x300",
		}, 80, nil},
		{"a mirror comes and goes", world{x("mirrorchain_mirror_host_up", operator, `host="m.test"`): "1x60 0x10 1x1 0x10 1x200"}, 80, nil},
		{"wrong content once", world{x("mirrorchain_attempts_total", operator, mirror+`,result="digest"`): "0x60 1x240"}, 65,
			[]string{"MirrorchainWrongContent" + `{container="operator", endpoint="mirror", namespace="hypershift"}`}},
		{"wrong content yesterday", world{x("mirrorchain_attempts_total", operator, mirror+`,result="digest"`): "0x60 1x240"}, 180, nil},
		{"wrong content at the start", world{x("mirrorchain_attempts_total", ignition, source+`,result="digest"`): "_x70 1x230"}, 80,
			[]string{"MirrorchainWrongContent" + `{container="ignition-server", endpoint="source", namespace="clusters-one"}`}},
		{"the operator is gone", world{x("up", operator): "1x60 0x240", x("up", standby): "1x60 _x240"}, 90,
			[]string{"MirrorchainOperatorDown{}"}},
		{"one replica is gone", world{x("up", operator): "1x60 0x240"}, 90, nil},
		{"an ignition server is gone", world{x("up", ignition): "1x60 0x240"}, 90,
			[]string{"MirrorchainControlPlanePodDown" + oneIgn + "}"}},
		{"a control plane is deleted", world{x("up", ignition): "1x60 _x240", x("up", cpo): "1x60 _x240"}, 90, nil},
		{"a panic", world{x("mirrorchain_panics_total", operator): "0x60 1x240"}, 65, []string{"MirrorchainPanics" + hyper + "}"}},
		{"a panic at the start", world{x("mirrorchain_panics_total", operator): "_x70 1x230"}, 75, []string{"MirrorchainPanics" + hyper + "}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(load(t, healthy().with(c.world)).firing(t, alerts(t), c.minute)))
			if !slices.Equal(got, c.want) {
				t.Errorf("firing:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for _, w := range c.want {
				name, _, _ := strings.Cut(w, "{")
				fired[name] = true
			}
		})
	}
	for _, r := range alerts(t) {
		if !fired[r.Alert] {
			t.Errorf("no case has %s fire", r.Alert)
		}
	}
}

const runbooks = "https://github.com/mirrorchain/mirrorchain/blob/main/docs/runbooks.md#"

var (
	heading   = regexp.MustCompile(`(?m)^## (\w+)$`)
	labelUsed = regexp.MustCompile(`\$labels\.(\w+)`)
)

// Each alert says how bad it is, what is the matter and where its runbook is, with
// labels that it has; each runbook is of an alert.
func TestRunbooks(t *testing.T) {
	sections := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(string(read(t, "docs", "runbooks.md")), -1) {
		sections[m[1]] = true
	}
	names := map[string]bool{}
	for _, r := range alerts(t) {
		if names[r.Alert] || !strings.HasPrefix(r.Alert, "Mirrorchain") {
			t.Errorf("%s: another name is wanted", r.Alert)
		}
		names[r.Alert] = true
		if !sections[r.Alert] {
			t.Errorf("docs/runbooks.md has no section %s", r.Alert)
		}
		if s := r.Labels["severity"]; s != "warning" && s != "critical" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if got, want := r.Annotations["runbook_url"], runbooks+strings.ToLower(r.Alert); got != want {
			t.Errorf("%s: runbook_url %q, want %q", r.Alert, got, want)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: no summary or description", r.Alert)
		}
		_, has := selectors(t, r.Expr)
		for _, text := range r.Annotations {
			for _, m := range labelUsed.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(has, m[1]) {
					t.Errorf("%s: the label %s is not in its expression", r.Alert, m[1])
				}
			}
		}
	}
	for s := range sections {
		if !names[s] {
			t.Errorf("docs/runbooks.md has a section %s, and there is no such alert", s)
		}
	}
}

// What alerts ask for is there to be asked for.
func TestMetricsOfAlerts(t *testing.T) {
	for _, r := range alerts(t) {
		known(t, r.Alert, r.Expr)
		if r.For > 0 && time.Duration(r.For) < time.Minute {
			t.Errorf("%s: for %s, which is about two scrapes", r.Alert, r.For)
		}
	}
}

// known fails t unless the operators serve every metric of an expression, and one of
// them has each label.
func known(t *testing.T, who, expr string) {
	t.Helper()
	metrics := documented(t)
	// Those of Prometheus.
	labels := []string{"namespace", "container", "pod"}
	names, used := selectors(t, expr)
	for _, name := range names {
		if name == "up" {
			continue
		}
		m, ok := metrics[name]
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, cut := strings.CutSuffix(name, suffix); !ok && cut && metrics[base].histogram {
				m, ok = metrics[base], true
				labels = append(labels, "le")
			}
		}
		if !ok {
			t.Errorf("%s: no operator serves %s", who, name)
		}
		if metrics[name].histogram {
			t.Errorf("%s: %s is a histogram, which has no series of its own name", who, name)
		}
		labels = append(labels, m.labels...)
	}
	for _, l := range used {
		if !slices.Contains(labels, l) {
			t.Errorf("%s: no metric of %s has the label %s", who, expr, l)
		}
	}
}

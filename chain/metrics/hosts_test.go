package metrics_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/chain/metrics"
	"github.com/mirrorchain/mirrorchain/policy"
)

// mirroring returns rules that name the hosts as mirrors of quay.io.
func mirroring(t *testing.T, hosts ...string) *policy.Rules {
	t.Helper()
	r := policy.Rule{Source: "quay.io/ocp"}
	for _, h := range hosts {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: h + "/ocp"})
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{r}})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestHosts(t *testing.T) {
	h := health.New(health.Config{})
	var rules *policy.Rules
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.Hosts(h.Hosts, func() *policy.Rules { return rules }))
	compare := func(text string) {
		t.Helper()
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text)); err != nil {
			t.Error(err)
		}
	}
	h.Report(health.Report{Host: "up.test", Outcome: health.Success, FirstByte: 20 * time.Millisecond})
	h.Report(health.Report{Host: "[::1]:5000", Outcome: health.Failure, Err: errors.New("refused")})
	h.Report(health.Report{Host: "quay.io", Outcome: health.Failure, Err: errors.New("no such host")})
	compare("") // no rules
	rules = mirroring(t, "up.test", "[::1]:5000", "never-asked.test")
	compare(`
# HELP mirrorchain_mirror_host_first_byte_seconds How long the host of a mirror usually takes to begin an answer.
# TYPE mirrorchain_mirror_host_first_byte_seconds gauge
mirrorchain_mirror_host_first_byte_seconds{host="up.test"} 0.02
# HELP mirrorchain_mirror_host_up 1 if the host of a mirror is healthy, 0 if it failed when it was last asked; host "other" is those beyond a limit, together.
# TYPE mirrorchain_mirror_host_up gauge
mirrorchain_mirror_host_up{host="[::1]:5000"} 0
mirrorchain_mirror_host_up{host="up.test"} 1
`)
	rules = mirroring(t, "other.test") // a policy was changed
	compare("")
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// Of many hosts those that fail are named, and the rest is one.
func TestHostsAreBounded(t *testing.T) {
	h := health.New(health.Config{})
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("host-%03d.test", i))
		h.Report(health.Report{Host: names[i], Outcome: health.Success})
	}
	rules := mirroring(t, names...)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics.Hosts(h.Hosts, func() *policy.Rules { return rules }))
	values := func() map[string]float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.Metric {
				got[m.Label[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
		if len(got) != metrics.MaxHosts+1 {
			t.Errorf("%d series, want %d", len(got), metrics.MaxHosts+1)
		}
		return got
	}
	if got := values(); got["other"] != 1 {
		t.Error("all are well, and the rest is not")
	}
	h.Report(health.Report{Host: names[999], Outcome: health.Failure})
	if got, ok := values()[names[999]]; !ok || got != 0 {
		t.Errorf("the one that fails is %g (%t)", got, ok)
	}
	for _, name := range names {
		h.Report(health.Report{Host: name, Outcome: health.Failure})
	}
	if got := values(); got["other"] != 0 {
		t.Error("all fail, and the rest is well")
	}
}

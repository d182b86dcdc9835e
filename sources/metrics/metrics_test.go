package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/metrics"
)

// source is away while err is set.
type source struct {
	err    error
	policy policy.Policy
}

func (*source) Name() string { return "idms" }

func (s *source) Load(context.Context) (policy.Policy, error) { return s.policy, s.err }

func onePolicy() policy.Policy {
	return policy.Policy{
		Rules:   []policy.Rule{{Source: "quay.io/x", Mirrors: []policy.Mirror{{Location: "m.test/x"}}}},
		Blocked: []policy.Scope{{Name: "b.test"}}, Insecure: []policy.Scope{{Name: "i.test"}, {Name: "j.test"}},
	}
}

func register(t *testing.T, srcs ...policy.OverrideSource) (*prometheus.Registry, *sources.Resolver) {
	t.Helper()
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, srcs...)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	unregister, err := metrics.Register(reg, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unregister()
		if n, err := testutil.GatherAndCount(reg); n != 0 || err != nil {
			t.Errorf("%d metrics are left: %v", n, err)
		}
	})
	if _, err := metrics.Register(reg, r); err == nil {
		t.Error("registered twice")
	}
	return reg, r
}

func want(t *testing.T, reg *prometheus.Registry, text string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(reg, strings.NewReader(text), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", err, problems)
	}
}

func TestAway(t *testing.T) {
	reg, _ := register(t, &source{err: errors.New("refused")}, sources.Static("flags", onePolicy()))
	want(t, reg, `
# HELP mirrorchain_source_in_force 1 if the mirror policies of the source are in force as they stand now, else 0.
# TYPE mirrorchain_source_in_force gauge
mirrorchain_source_in_force{source="flags"} 1
mirrorchain_source_in_force{source="idms"} 0
`, "mirrorchain_source_in_force", "mirrorchain_rules_info", "mirrorchain_rules_changed_timestamp_seconds")
}

// Names are whatever a source calls itself.
func TestNames(t *testing.T) {
	reg, _ := register(t, sources.Static("file:\xff", onePolicy()), sources.Static("twice", onePolicy()), sources.Static("twice", onePolicy()))
	want(t, reg, `
# HELP mirrorchain_source_in_force 1 if the mirror policies of the source are in force as they stand now, else 0.
# TYPE mirrorchain_source_in_force gauge
mirrorchain_source_in_force{source="file:�"} 1
mirrorchain_source_in_force{source="twice"} 1
mirrorchain_source_in_force{source="twice (2)"} 1
`, "mirrorchain_source_in_force")
}

func TestInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := float64(time.Now().UnixMilli()) / 1000
		reg, r := register(t, &source{policy: onePolicy()})
		time.Sleep(time.Hour) // of a clock that nobody waits for: times are when it happened
		want(t, reg, fmt.Sprintf(`
# HELP mirrorchain_rules_changed_timestamp_seconds When the version of the rules in force last changed; absent while there are none.
# TYPE mirrorchain_rules_changed_timestamp_seconds gauge
mirrorchain_rules_changed_timestamp_seconds %[1]g
# HELP mirrorchain_rules_info 1 for the version of the rules in force; absent while there are none.
# TYPE mirrorchain_rules_info gauge
mirrorchain_rules_info{version=%[2]q} 1
# HELP mirrorchain_source_entries Entries that the source states, by kind: rule, insecure, blocked.
# TYPE mirrorchain_source_entries gauge
mirrorchain_source_entries{kind="blocked",source="idms"} 1
mirrorchain_source_entries{kind="insecure",source="idms"} 2
mirrorchain_source_entries{kind="rule",source="idms"} 1
# HELP mirrorchain_source_followed 1 if changes of the source are told at once, 0 while following it fails.
# TYPE mirrorchain_source_followed gauge
mirrorchain_source_followed{source="idms"} 1
# HELP mirrorchain_source_in_force 1 if the mirror policies of the source are in force as they stand now, else 0.
# TYPE mirrorchain_source_in_force gauge
mirrorchain_source_in_force{source="idms"} 1
# HELP mirrorchain_source_last_good_timestamp_seconds When the source was last read, 0 if never.
# TYPE mirrorchain_source_last_good_timestamp_seconds gauge
mirrorchain_source_last_good_timestamp_seconds{source="idms"} %[1]g
`, at, r.Current().Version()))
	})
}

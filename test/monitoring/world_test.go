package monitoring

import (
	"fmt"
	"strings"
	"testing"
)

// Labels that Prometheus gives what it scrapes from a pod of each operator.
const (
	operator = `namespace="hypershift",container="operator",pod="operator-1"`
	standby  = `namespace="hypershift",container="operator",pod="operator-2"`
	cpo      = `namespace="clusters-one",container="control-plane-operator",pod="cpo-1"`
	ignition = `namespace="clusters-one",container="ignition-server",pod="ign-1"`
)

// x returns a series of a pod: name{labels,pod}.
func x(name, pod string, labels ...string) string {
	return name + "{" + strings.Join(append(labels, pod), ",") + "}"
}

// healthy returns a site where all is well for five hours: one active operator and one
// that waits, and a control plane.
func healthy() world {
	w := world{}
	for _, pod := range []string{operator, standby, cpo, ignition} {
		perMinute := 6
		if pod == standby {
			perMinute = 0
		}
		grows := func(n int) string { return fmt.Sprintf("0+%dx300", n) }
		const stays = "0x300"
		w[x("up", pod)] = "1x300"
		for result, n := range map[string]int{"ok": perMinute, "stale": 0, "no-rules": 0, "not-found": 0, "unreachable": 0, "canceled": perMinute} {
			w[x("mirrorchain_lookups_total", pod, fmt.Sprintf("result=%q", result))] = grows(n)
		}
		for endpoint, n := range map[string]int{"mirror": perMinute, "source": 0} {
			w[x("mirrorchain_served_total", pod, fmt.Sprintf("by=%q", endpoint))] = grows(n)
			for _, result := range []string{"unreachable", "canceled", "not-found", "digest"} {
				w[x("mirrorchain_attempts_total", pod, fmt.Sprintf("endpoint=%q,result=%q", endpoint, result))] = stays
			}
			w[x("mirrorchain_attempts_total", pod, fmt.Sprintf(`endpoint=%q,result="ok"`, endpoint))] = grows(n)
			w.histogram("mirrorchain_attempt_duration_seconds", pod, n, fmt.Sprintf("endpoint=%q", endpoint))
		}
		w.histogram("mirrorchain_lookup_duration_seconds", pod, perMinute)
		for outcome, n := range map[string]int{"hit": perMinute, "miss": 1, "joined": 0, "stale": 0} {
			w[x("mirrorchain_cache_total", pod, fmt.Sprintf("outcome=%q", outcome))] = grows(n)
		}
		for _, outcome := range []string{"hit", "miss"} {
			w[x("mirrorchain_store_total", pod, fmt.Sprintf("outcome=%q", outcome))] = grows(1)
		}
		for owner, n := range map[string]int{"tenant": perMinute, "mirror": 0, "operator": 0} {
			w[x("mirrorchain_attempt_credentials_total", pod, fmt.Sprintf("credential=%q", owner))] = grows(n)
		}
		for _, name := range []string{"hedges", "retries", "panics", "signatures_refused"} {
			w[x("mirrorchain_"+name+"_total", pod)] = stays
		}
		if pod != standby {
			w[x("mirrorchain_mirror_host_up", pod, `host="m.test"`)] = "1x300"
			w[x("mirrorchain_mirror_host_first_byte_seconds", pod, `host="m.test"`)] = "0.02x300"
		}
		w[x("mirrorchain_source_in_force", pod, `source="idms"`)] = "1x300"
		w[x("mirrorchain_source_followed", pod, `source="idms"`)] = "1x300"
		w[x("mirrorchain_source_last_good_timestamp_seconds", pod, `source="idms"`)] = "0x300" // read once, and followed since
		w[x("mirrorchain_source_entries", pod, `source="idms",kind="rule"`)] = "3x300"
		w[x("mirrorchain_rules_info", pod, `version="a1"`)] = "1x300"
		w[x("mirrorchain_rules_changed_timestamp_seconds", pod)] = "0x300"
	}
	w[x("ign_server_get_request", ignition, `nodePool="np"`)] = "0+1x300"
	w[x("ign_server_payload_cache_miss_total", ignition)] = "0+1x300"
	w[x("ign_server_payload_cache_total", ignition)] = "2x300"
	w[x("ign_server_token_rotation_total", ignition)] = "0x300"
	w.histogram("ign_server_payload_generation_seconds", ignition, 1)
	return w
}

// histogram adds one whose observations are all below 0.02.
func (w world) histogram(name, pod string, perMinute int, labels ...string) {
	for _, le := range []string{"0.001", "0.02", "+Inf"} {
		n := perMinute
		if le == "0.001" {
			n = 0
		}
		w[x(name+"_bucket", pod, append(labels, fmt.Sprintf("le=%q", le))...)] = fmt.Sprintf("0+%dx300", n)
	}
	w[x(name+"_count", pod, labels...)] = fmt.Sprintf("0+%dx300", perMinute)
	w[x(name+"_sum", pod, labels...)] = fmt.Sprintf("0+%gx300", float64(perMinute)*0.01)
}

// The world has what operators serve, all of it and nothing else, so that what is
// tested with it is.
func TestWorld(t *testing.T) {
	known := documented(t)
	seen := map[string]bool{"up": true} // Prometheus's own
	for series := range healthy() {
		name, _, _ := strings.Cut(series, "{")
		base := name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if b, ok := strings.CutSuffix(name, suffix); ok && known[b].histogram {
				base = b
			}
		}
		if _, ok := known[base]; !ok && !seen[base] {
			t.Errorf("nobody serves %s", name)
		}
		seen[base] = true
	}
	for name := range known {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

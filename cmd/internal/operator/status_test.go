package operator

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A failure that goes on changes no condition, and another one always does.
func TestConditionsAreSteady(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		same          bool
	}{
		"ports":            {"read tcp 10.0.0.1:50984->10.0.0.2:443: reset", "read tcp 10.0.0.1:50999->10.0.0.2:443: reset", true},
		"ports, IPv6":      {"read udp [fe80::1%eth0]:50984->[::1]:53: timeout", "read udp [fe80::1%eth0]:1->[::1]:53: timeout", true},
		"another host":     {"read tcp 10.0.0.1:50984->10.0.0.2:443: reset", "read tcp 10.0.0.1:50984->10.0.0.3:443: reset", false},
		"another port":     {"dial tcp 10.0.0.2:443: refused", "dial tcp 10.0.0.2:5000: refused", false},
		"another mirror":   {"mirror1.example.com: not found", "mirror2.example.com: not found", false},
		"another status":   {"a.io: (HTTP 502)", "a.io: (HTTP 503)", false},
		"another digest":   {"a.io/x@sha256:12: gone", "a.io/x@sha256:13: gone", false},
		"a limit":          {"no answer begun within 1.2s", "no answer begun within 250ms", true},
		"minutes":          {"not finished within 1m30s", "not finished within 2m0s", true},
		"the time":         {"x509: certificate has expired or is not yet valid: current time 2026-11-29T22:20:19Z is after 2026-01-01T00:00:00Z", "x509: certificate has expired or is not yet valid: current time 2026-11-29T22:20:20Z is after 2026-01-01T00:00:00Z", true},
		"another expiry":   {"current time 2026-11-29T22:20:19Z is after 2026-01-01T00:00:00Z", "current time 2026-11-29T22:20:19Z is after 2026-01-02T00:00:00Z", false},
		"request ids":      {"unknown: RequestId: 7f3a9c21-aaaa", "unknown: RequestId: 99999999-bbbb", true},
		"names of UUIDs":   {"failed 123e4567-e89b-12d3-a456-426614174000", "failed 123e4567-e89b-12d3-a456-426614174001", true},
		"another sentence": {"a", "b", false},
	} {
		var all []metav1.Condition
		set := func(message string) bool {
			return SetCondition(&all, 1, metav1.Condition{Type: "T", Status: metav1.ConditionFalse, Reason: "R", Message: message})
		}
		if !set(c.first) {
			t.Errorf("%s: a new condition is no change", name)
		}
		if changed := set(c.second); changed == c.same {
			t.Errorf("%s: changed is %t: %q", name, changed, all[0].Message)
		}
	}
}

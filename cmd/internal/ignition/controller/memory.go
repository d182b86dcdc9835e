package controller

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
)

// memory is what a replica knows of its own work on token Secrets. It keeps replicas with
// different results from answering each other's reports for ever: each report is a change,
// and each change has the others reconcile. So a success is reported once, and a write to
// the Secret does not end the wait after a failure. The zero value knows nothing.
type memory struct {
	mu       sync.Mutex
	reported map[string]report     // successes, by Secret
	failed   map[string]retryState // by Secret
	inputs   int                   // counts the changes of objects that payloads are made of
}

// report is a success that was written to a Secret.
type report struct {
	of   types.UID
	kind string // the upgrade type
}

func reportOf(s *corev1.Secret) report {
	return report{s.UID, s.Annotations[tokens.AnnotationUpgradeType]}
}

// retryState is a failure that is tried again later.
type retryState struct {
	of    *corev1.Secret // with what it asked for
	rules *policy.Rules
	tries int
	until time.Time
}

// success records that a success was written to the Secret.
func (m *memory) success(s *corev1.Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reported == nil {
		m.reported = map[string]report{}
	}
	m.reported[s.Name] = reportOf(s)
	delete(m.failed, s.Name)
}

// isReported reports whether there was a success since the last failure.
func (m *memory) isReported(s *corev1.Secret) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, ok := m.reported[s.Name]
	return ok && last == reportOf(s)
}

// begin returns the state of the inputs before a payload is tried, which failure needs.
func (m *memory) begin() (inputs int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inputs
}

// failure records that there is no payload. It is tried again at once if an object that
// payloads are made of has changed since begin.
func (m *memory) failure(s *corev1.Secret, rules *policy.Rules, inputs int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.failed = map[string]retryState{}
	}
	delete(m.reported, s.Name)
	if inputs != m.inputs {
		delete(m.failed, s.Name)
		return
	}
	tries := m.failed[s.Name].tries + 1
	pause := operator.LongestRetry
	if tries < 7 {
		pause = min(pause, operator.FirstRetry<<(tries-1))
	}
	m.failed[s.Name] = retryState{s, rules, tries, now.Add(pause)}
}

// wait returns how long not to try: the rest of the pause after a failure, as long as the
// Secret asks for the same and the rules are the same.
func (m *memory) wait(s *corev1.Secret, rules *policy.Rules, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.failed[s.Name]
	if !ok || f.rules != rules || !sameRecipe(f.of, s) {
		return 0
	}
	return max(0, f.until.Sub(now))
}

// endWaits ends all pauses, since an object has changed that payloads are made of.
func (m *memory) endWaits() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inputs++
	clear(m.failed)
}

// forget drops the state of a Secret.
func (m *memory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.reported, name)
	delete(m.failed, name)
}

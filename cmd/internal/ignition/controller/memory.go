package controller

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/policy"
)

// memory is what a replica knows of its own work on token Secrets. It keeps replicas
// that fare differently from answering each other's reports for ever: each report is a
// change, and each change has the others look again. So a success is told once, and a
// failure is not tried again before its time merely because somebody wrote to the
// Secret. The zero value knows nothing.
type memory struct {
	mu     sync.Mutex
	told   map[string]telling // what a success was told for, by Secret
	failed map[string]setback // by Secret
	inputs int                // how often what payloads are made of has changed
}

// telling is a success that a Secret was told of.
type telling struct {
	of   types.UID
	kind string // the upgrade type
}

func tellingOf(s *corev1.Secret) telling {
	return telling{s.UID, s.Annotations[tokens.AnnotationUpgradeType]}
}

// setback is a failure that is to be tried again later.
type setback struct {
	of    *corev1.Secret // what it asked for
	rules *policy.Rules
	tries int
	until time.Time
}

// success notes that the Secret says of its payload what it should.
func (m *memory) success(s *corev1.Secret) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.told == nil {
		m.told = map[string]telling{}
	}
	m.told[s.Name] = tellingOf(s)
	delete(m.failed, s.Name)
}

// isTold reports whether there was a success since the last failure.
func (m *memory) isTold(s *corev1.Secret) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	told, ok := m.told[s.Name]
	return ok && told == tellingOf(s)
}

// begin is to be called before a payload is tried; failure wants what it returns.
func (m *memory) begin() (inputs int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inputs
}

// failure notes that there is no payload. It is tried again at once if something that
// payloads are made of has changed since begin.
func (m *memory) failure(s *corev1.Secret, rules *policy.Rules, inputs int, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil {
		m.failed = map[string]setback{}
	}
	delete(m.told, s.Name)
	if inputs != m.inputs {
		delete(m.failed, s.Name)
		return
	}
	tries := m.failed[s.Name].tries + 1
	pause := longestRetry
	if tries < 7 {
		pause = min(pause, firstRetry<<(tries-1))
	}
	m.failed[s.Name] = setback{s, rules, tries, now.Add(pause)}
}

// wait is how long to leave the Secret alone: while it asks for what failed, with the
// same rules, and the pause is not over.
func (m *memory) wait(s *corev1.Secret, rules *policy.Rules, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.failed[s.Name]
	if !ok || f.rules != rules || !sameRecipe(f.of, s) {
		return 0
	}
	return max(0, f.until.Sub(now))
}

// hurry ends all pauses: something that payloads are made of has changed.
func (m *memory) hurry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inputs++
	clear(m.failed)
}

// forget drops what is known of a Secret.
func (m *memory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.told, name)
	delete(m.failed, name)
}

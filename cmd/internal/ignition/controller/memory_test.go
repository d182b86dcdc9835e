package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What fails with old inputs while new ones come is tried again at once.
func TestInputsChangeWhileAPayloadIsMade(t *testing.T) {
	var m memory
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token-a", UID: "1"}}
	now := time.Now()
	m.failure(s, nil, m.begin(), now)
	if m.wait(s, nil, now) == 0 {
		t.Fatal("no pause after a failure")
	}
	began := m.begin()
	m.endWaits()
	m.failure(s, nil, began, now)
	if wait := m.wait(s, nil, now); wait != 0 {
		t.Errorf("the new input waits for %v", wait)
	}
	m.failure(s, nil, m.begin(), now)
	if m.wait(s, nil, now) == 0 {
		t.Error("no pause after a failure with the new input")
	}
}

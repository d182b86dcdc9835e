package controller

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// Secrets are woken in the order in which they asked, each once, one for each slot.
func TestSlotsInOrder(t *testing.T) {
	var woken []string
	s := NewSlots(2, func(_ context.Context, secret string) { woken = append(woken, secret) })
	ctx := t.Context()
	for _, name := range []string{"a", "b"} {
		if !s.take(name) {
			t.Fatalf("%s gets no slot of two", name)
		}
	}
	for range 3 { // reconciled again and again for other reasons
		for i := range 200 {
			if name := fmt.Sprint("waiting-", i); s.take(name) {
				t.Fatalf("%s gets a third slot", name)
			}
		}
	}
	var want []string
	for i := range 200 {
		name := fmt.Sprint("waiting-", i)
		want = append(want, name)
		s.give(ctx)
		if s.take("newcomer") {
			t.Fatal("a newcomer overtakes those that wait")
		}
		if !s.take(name) {
			t.Fatalf("%s was woken and gets no slot", name)
		}
		s.settle(ctx, name)
	}
	if !slices.Equal(woken, want) {
		t.Errorf("woken were %q", woken)
	}
}

// A slot that is not needed any more goes to the next, and none is lost.
func TestSlotsNotNeeded(t *testing.T) {
	var woken []string
	s := NewSlots(1, func(_ context.Context, secret string) { woken = append(woken, secret) })
	ctx := t.Context()
	s.take("a")
	s.take("gone")
	s.take("b")
	s.settle(ctx, "gone") // reconciled before its turn: that says nothing of the slot
	s.give(ctx)
	s.settle(ctx, "gone") // woken, and it needs no payload any more
	if !slices.Equal(woken, []string{"gone", "b"}) || !s.take("b") {
		t.Errorf("woken were %q; want b after the one that is gone", woken)
	}
	s.give(ctx)
	if !s.take("c") || s.take("d") {
		t.Error("there is another number of slots than one")
	}
}

package operator

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Waits double up to the longest, and those who fail together do not come back together.
func TestBackoff(t *testing.T) {
	b := Backoff(4 * time.Second)
	const items = 100
	for n, least := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
		different := map[time.Duration]bool{}
		for i := range items {
			wait := b.When(reconcile.Request{NamespacedName: types.NamespacedName{Name: fmt.Sprint(i)}})
			if wait < least || wait > least+least/5+1 {
				t.Errorf("failure %d: %v, want %v and up to a fifth more", n+1, wait, least)
			}
			different[wait] = true
		}
		if len(different) < items/2 {
			t.Errorf("failure %d: %d waits of %d are different", n+1, len(different), items)
		}
	}
	one := reconcile.Request{NamespacedName: types.NamespacedName{Name: "0"}}
	if b.Forget(one); b.NumRequeues(one) != 0 || b.When(one) >= 2*time.Second {
		t.Error("a success is not remembered")
	}
}

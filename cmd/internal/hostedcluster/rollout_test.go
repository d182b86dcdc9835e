package hostedcluster

import (
	"testing"
	"testing/synctest"
	"time"
)

// Reconcilers hold back as long as a rollout of rules makes progress, however many control
// planes there are, and no longer where it hangs or takes too long.
func TestFastRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f fastRollout
		want := func(running bool, why string) {
			t.Helper()
			if f.running() != running {
				t.Errorf("held back is %t: %s", !running, why)
			}
		}
		want(true, "the first is to come")
		time.Sleep(rolloutAlone)
		want(false, "it does not come")
		f.begin(5000)
		for range 41 * 2 { // 8.2 ms each, as on a busy machine
			time.Sleep(500 * time.Millisecond)
			f.progress()
			want(true, "it makes progress")
		}
		time.Sleep(rolloutStall)
		want(false, "it hangs")
		f.progress()
		want(true, "it goes on")
		f.end()
		want(false, "it is done")
		f.begin(10)
		for range 6 {
			time.Sleep(time.Second)
			f.progress()
		}
		want(false, "it takes too long for ten")
	})
}

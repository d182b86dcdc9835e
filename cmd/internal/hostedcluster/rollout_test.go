package hostedcluster

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
)

// However long the control planes of one tenant take, and however many come first, those of
// others are not kept waiting. A tenant that is alone has half of what is done at once.
func TestRolloutTakesTurns(t *testing.T) {
	const slow, each = 1000, 10 * time.Second
	for _, others := range []int{0, 100} {
		t.Run(fmt.Sprint(others, " others"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var clusters []hyperv1.HostedCluster
				add := func(namespace string, n int) {
					for i := range n {
						var hc hyperv1.HostedCluster
						hc.Namespace, hc.Name = namespace, fmt.Sprint(i)
						clusters = append(clusters, hc)
					}
				}
				add("a-slow", slow)
				for i := range others {
					add(fmt.Sprint("b-", i), 3)
				}
				var mu sync.Mutex
				seen, busy, most, began := map[string]int{}, 0, 0, time.Now()
				inTurns(clusters, func(hc *hyperv1.HostedCluster) {
					mu.Lock()
					seen[hc.Namespace+"/"+hc.Name]++
					mu.Unlock()
					if hc.Namespace != "a-slow" {
						if waited := time.Since(began); waited > 0 {
							t.Errorf("%s/%s waited for %v", hc.Namespace, hc.Name, waited)
						}
						return
					}
					mu.Lock()
					busy++
					most = max(most, busy)
					mu.Unlock()
					time.Sleep(each)
					mu.Lock()
					busy--
					mu.Unlock()
				})
				if len(seen) != slow+3*others {
					t.Errorf("%d of %d were done", len(seen), slow+3*others)
				}
				for name, n := range seen {
					if n != 1 {
						t.Errorf("%s was done %d times", name, n)
					}
				}
				if took, want := time.Since(began), each*slow/(rolloutAtOnce/2); most != rolloutAtOnce/2 || took != want {
					t.Errorf("%d of the slow ones at once, and all took %v; want %d, %v", most, took, rolloutAtOnce/2, want)
				}
			})
		})
	}
}

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

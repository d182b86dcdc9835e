package chain_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// BenchmarkTwentyReleases is P6: twenty different releases of real size at once,
// 20 ms before every answer, beside one of them, and beside the twenty one after
// another without any wait, which is what they take of the processors. All of it
// includes the registry's own work.
func BenchmarkTwentyReleases(b *testing.B) {
	const n = 20
	s := newSite(b, smallRelease(3))
	var reqs []provider.Request
	for i := range n {
		img := testpayload.Must(testpayload.Release{Version: fmt.Sprintf("4.18.%d", i)}.Image())
		reqs = append(reqs, s.request(s.source.ByDigest(repo, s.mirror.Push(repo, "", img))))
	}
	run := func(b *testing.B, latency time.Duration, atOnce bool, reqs []provider.Request) {
		s.mirror.SetLatency(latency)
		for b.Loop() {
			b.StopTimer()
			c := s.chain(b, s.rules) // holds nothing yet
			b.StartTimer()
			var wg sync.WaitGroup
			for _, req := range reqs {
				wg.Go(func() {
					if _, err := c.Lookup(context.Background(), req); err != nil {
						b.Error(err)
					}
				})
				if !atOnce {
					wg.Wait()
				}
			}
			wg.Wait()
		}
	}
	b.Run("one", func(b *testing.B) { run(b, 20*time.Millisecond, false, reqs[:1]) })
	b.Run("serially-without-latency", func(b *testing.B) { run(b, 0, false, reqs) })
	b.Run("at-once", func(b *testing.B) { run(b, 20*time.Millisecond, true, reqs) })
}

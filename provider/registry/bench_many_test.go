package registry_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// BenchmarkTwentyAtOnce is P6: 20 releases at once, and as a ratio to what 20
// times one lookup's processor time on all processors and one lookup's waiting
// come to. That is measured in the same run, on a machine as busy: 20 lookups
// that need not wait, as many at once as there are processors. The registry's
// share of the work is in both.
func BenchmarkTwentyAtOnce(b *testing.B) {
	const n = 20
	reg := start(b, testregistry.Config{})
	var refs []string
	for i := range n {
		refs = append(refs, reg.Push(repo, "", testpayload.Must(testpayload.Release{Version: fmt.Sprintf("4.17.%d", i)}.Image())))
	}
	cold := func(digests ...string) error {
		p, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
		if err != nil {
			return err
		}
		defer p.Close()
		var g errgroup.Group
		for _, d := range digests {
			req := request(reg.ByDigest(repo, d))
			g.Go(func() error { _, err := p.Lookup(b.Context(), req); return err })
		}
		return g.Wait()
	}
	var work, wall time.Duration
	for b.Loop() {
		reg.SetLatency(0)
		began := time.Now()
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for _, d := range refs {
			g.Go(func() error { return cold(d) })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		work += time.Since(began)
		reg.SetLatency(answer)
		began = time.Now()
		if err := cold(refs...); err != nil {
			b.Fatal(err)
		}
		wall += time.Since(began)
	}
	bound := work + time.Duration(b.N)*2*answer
	b.ReportMetric(float64(wall)/float64(b.N)/1e6, "ms-wall")
	b.ReportMetric(float64(work)/float64(b.N)/1e6, "ms-work")
	b.ReportMetric(float64(wall)/float64(bound), "ratio")
}

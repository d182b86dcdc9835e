//go:build unix

package registry_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// BenchmarkTwentyAtOnce is P6: 20 releases at once, and as a ratio to what 20
// times one lookup's processor time on all processors and one lookup's waiting
// come to. The registry's share of the processor time is in both.
func BenchmarkTwentyAtOnce(b *testing.B) {
	const n = 20
	reg := start(b, testregistry.Config{})
	var refs []string
	for i := range n {
		refs = append(refs, reg.Push(repo, "", testpayload.Must(testpayload.Release{Version: fmt.Sprintf("4.17.%d", i)}.Image())))
	}
	cold := func(digests ...string) time.Duration {
		p, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		began := time.Now()
		var g errgroup.Group
		for _, d := range digests {
			req := request(reg.ByDigest(repo, d))
			g.Go(func() error { _, err := p.Lookup(b.Context(), req); return err })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	var work, wall time.Duration
	for b.Loop() {
		reg.SetLatency(0)
		before := processorTime(b)
		for _, d := range refs {
			cold(d)
		}
		work += processorTime(b) - before
		reg.SetLatency(answer)
		wall += cold(refs...)
	}
	bound := work/time.Duration(runtime.GOMAXPROCS(0)) + time.Duration(b.N)*2*answer
	b.ReportMetric(float64(wall)/float64(b.N)/1e6, "ms-wall")
	b.ReportMetric(float64(work)/float64(b.N)/1e6, "ms-work")
	b.ReportMetric(float64(wall)/float64(bound), "ratio")
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

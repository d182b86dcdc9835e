package registry_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

const answer = 20 * time.Millisecond // what every answer takes

// BenchmarkLookup is a cold lookup of a release of real size: of P3, wall time
// in answers, and how many requests and bytes. The registry's own work is in it.
func BenchmarkLookup(b *testing.B) {
	for _, tt := range []struct {
		name string
		auth testregistry.Scheme
	}{{"none", testregistry.NoAuth}, {"basic", testregistry.Basic}, {"bearer", testregistry.Bearer}} {
		b.Run(tt.name, func(b *testing.B) {
			reg := start(b, testregistry.Config{Latency: answer, Auth: testregistry.Auth{Scheme: tt.auth, Users: []testregistry.User{alice}}})
			img := testpayload.Must(testpayload.Release{}.Image())
			req := at(b, reg.ByDigest(repo, reg.Push(repo, "", img)), provider.NewCredential("alice", secretPassword))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				p, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if _, err := p.Lookup(b.Context(), req); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_ = p.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(answer), "answers/op")
			b.ReportMetric(float64(reg.Count())/float64(b.N), "requests/op")
			b.ReportMetric(float64(reg.Bytes())/float64(b.N), "bodybytes/op")
		})
	}
}

// BenchmarkTwentyAtOnce is P6: 20 releases at once, and as a ratio to what 20
// times one lookup's work on all processors and one lookup's waiting come to.
// The work is measured without waiting, the registry's share of it included.
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
		for _, d := range refs {
			work += cold(d) // one at a time, and one processor's worth of it at least
		}
		reg.SetLatency(answer)
		wall += cold(refs...)
	}
	bound := work/time.Duration(runtime.GOMAXPROCS(0)) + time.Duration(b.N)*2*answer
	b.ReportMetric(float64(wall)/float64(b.N)/1e6, "ms-wall")
	b.ReportMetric(float64(work)/float64(b.N)/1e6, "ms-work")
	b.ReportMetric(float64(wall)/float64(bound), "ratio")
}

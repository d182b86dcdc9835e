package registry_test

import (
	"testing"
	"time"

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

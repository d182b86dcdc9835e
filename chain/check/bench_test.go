package check_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// BenchmarkComponents is P10: all 146 images of a release asked for through a mirror
// that takes 20 ms for an answer, 16 at once, by a process that has just started.
// "ratio" is to the time of 146/16 answers.
func BenchmarkComponents(b *testing.B) {
	const (
		images  = 146
		atOnce  = 16
		latency = 20 * time.Millisecond
	)
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(reg.Close)
	var all []check.Item
	for i := range images {
		digest := reg.Push("mirror/art", "", testpayload.Raw(testpayload.OCIManifest, fmt.Appendf(nil, `{"schemaVersion":2,"annotations":{"n":"%d"}}`, i)))
		all = append(all, check.Item{Name: fmt.Sprint("component-", i), Image: imageref.MustParse(source + "/ocp/art@" + digest)})
	}
	reg.SetLatency(latency)
	through := rules(b, reg.Host())
	b.ReportAllocs()
	for b.Loop() {
		p, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
		if err != nil {
			b.Fatal(err)
		}
		results, err := check.Run(b.Context(), check.Config{Head: p, Rules: through, PerRegistry: atOnce}, all)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil || r.Found.From.Registry() != reg.Host() {
				b.Fatalf("%s: %v", r.Name, r.Err)
			}
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
	answers := float64(b.Elapsed()) / float64(b.N) / float64(latency)
	b.ReportMetric(answers, "answers/op")
	b.ReportMetric(answers/(float64(images)/atOnce), "ratio")
	b.ReportMetric(float64(reg.Count())/float64(b.N), "requests/op")
}

package handover_test

import (
	"fmt"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// BenchmarkBundle is what an operator does once for each change of policy.
func BenchmarkBundle(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		rules, err := policy.NewRules(policy.RulesConfig{}, repositories(n))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bundle, err := handover.NewBundle(rules)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := bundle.ConfigMapData(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode is what every receiver does with it.
func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		rules, err := policy.NewRules(policy.RulesConfig{}, repositories(n))
		if err != nil {
			b.Fatal(err)
		}
		data, err := handover.Encode(rules)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := handover.Decode("", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package file_test

import (
	"fmt"
	"strings"
	"testing"
)

// What one Load of 10,000 sources takes, in each of the two formats.
func BenchmarkLoad10000(b *testing.B) {
	var list, conf strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&list, "- source: quay.io/org-%d\n  mirrors: [mirror.local:5000/org-%d]\n", i, i)
		fmt.Fprintf(&conf, "[[registry]]\nlocation = \"quay.io/org-%d\"\n[[registry.mirror]]\nlocation = \"mirror.local:5000/org-%d\"\n", i, i)
	}
	for name, text := range map[string]string{"yaml": list.String(), "registries.conf": conf.String()} {
		b.Run(name, func(b *testing.B) {
			src := open(b, write(b, b.TempDir()+"/policies", text))
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if p, err := src.Load(b.Context()); err != nil || len(p.Rules) != 10_000 {
					b.Fatal(len(p.Rules), err)
				}
			}
		})
	}
}

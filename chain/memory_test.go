package chain_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// realistic is a release of 146 components with boot images and the annotations
// that releases have.
func realistic(t testing.TB) *provider.Release {
	t.Helper()
	d := provider.ReleaseData{Image: image, Version: "4.17.3", Digest: digest, BootImages: make([]byte, 33_000)}
	for i := range 146 {
		d.Components = append(d.Components, provider.Component{
			Name:      fmt.Sprintf("component-%03d", i),
			Canonical: imageref.MustParse(fmt.Sprintf("%s@sha256:%064x", artDev, i)),
			Annotations: map[string]string{
				"io.openshift.build.commit.id":       fmt.Sprintf("%040x", i),
				"io.openshift.build.commit.ref":      "release-4.17",
				"io.openshift.build.source-location": fmt.Sprintf("https://github.com/openshift/component-%d", i),
				"io.openshift.build.versions":        "",
			},
		})
	}
	r, err := provider.NewRelease(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// P9: what a held release takes, its translated view included, and whether the
// estimate that bounds caches is near enough.
func TestHeldReleaseIsSmall(t *testing.T) {
	rules := newRules(t, rewriting(artDev, "rewritten.example/art"), mirrored(artDev, mirrorA, mirrorB))
	for name, tt := range map[string]struct {
		layers []chain.Layer
		most   int
	}{
		"bare":       {nil, 120_000},
		"translated": {[]chain.Layer{chain.Translate(chain.TranslateConfig{})}, 160_000},
		"live":       {[]chain.Layer{chain.Translate(chain.TranslateConfig{Live: true})}, 160_000},
	} {
		var held [200]*provider.Release // so many that what other tests leave behind does not matter
		before := heap()
		for i := range held {
			held[i] = realistic(t)
			lookup(t, newChain(t, content(held[i]), rules, tt.layers...), provider.Request{Image: image})
		}
		each := int(heap()-before) / len(held)
		t.Logf("%s: %d bytes each, %d by estimate", name, each, held[0].Size())
		if each > tt.most {
			t.Errorf("%s: %d bytes each; want at most %d", name, each, tt.most)
		}
		if size := held[0].Size(); size < each/2 || size > each*5/4 {
			t.Errorf("%s: the estimate of %d bytes is far from %d", name, size, each)
		}
		runtime.KeepAlive(&held)
	}
}

// heap is what is in use once nothing more can be collected.
func heap() uint64 {
	var m runtime.MemStats
	for last := uint64(0); ; last = m.HeapAlloc {
		runtime.GC()
		runtime.ReadMemStats(&m)
		if last > 0 && m.HeapAlloc+m.HeapAlloc/100 >= last {
			return m.HeapAlloc
		}
	}
}

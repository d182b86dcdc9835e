package chain_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/internal/test/heap"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// realistic returns a release of 146 components with boot images and the annotations
// that releases have.
func realistic(t testing.TB) *provider.Release {
	t.Helper()
	d := provider.ReleaseData{Image: image, Version: "4.17.3", Digest: digest, BootImages: testpayload.Release{}.BootImagesConfigMap()}
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
// estimate that bounds caches is near enough. It is measured in a process of its own: what
// other tests leave behind, and the collector frees meanwhile, would count as a release's.
func TestHeldReleaseIsSmall(t *testing.T) {
	const alone = "MIRRORCHAIN_TEST_HELD_ALONE"
	if os.Getenv(alone) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHeldReleaseIsSmall$", "-test.v", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), alone+"=1")
		out, err := cmd.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Error(err)
		}
		return
	}
	rules := []*policy.Rules{
		newRules(t, rewriting(artDev, "rewritten.example/art"), mirrored(artDev, mirrorA, mirrorB)),
		newRules(t, rewriting(artDev, "elsewhere.example/art"), mirrored(artDev, mirrorB, mirrorA)),
	}
	translated := []chain.Layer{chain.Translate(chain.TranslateConfig{})}
	live := []chain.Layer{chain.Translate(chain.TranslateConfig{Live: true})}
	for name, tt := range map[string]struct {
		layers   []chain.Layer
		versions int // of the rules, one after the other
		most     int
		charged  float64 // what caches count, at most, as a multiple of what it takes
	}{
		"bare":                    {nil, 1, 120_000, 1.6},
		"translated":              {translated, 1, 160_000, 1.4},
		"live":                    {live, 1, 160_000, 1.3},
		"translated, two of them": {translated, 2, 160_000, 1.25},
		"live, two of them":       {live, 2, 160_000, 1.1},
	} {
		var stored [40]*provider.Release
		for i := range stored {
			stored[i] = realistic(t)
			if _, err := bootimages.Of(stored[i]); err != nil { // they are kept with it from then on
				t.Fatal(err)
			}
			for _, r := range rules[:tt.versions] {
				lookup(t, newChain(t, content(stored[i]), r, tt.layers...), provider.Request{Image: image})
			}
		}
		size, counted := float64(stored[0].Size()), chain.SizeHeld(stored[0])
		with := heap.InUse()
		runtime.KeepAlive(&stored)
		clear(stored[:])
		each := (int(with) - int(heap.InUse())) / len(stored)
		charged := float64(counted) / float64(each)
		t.Logf("%s: %d bytes each, %.0f by estimate, %.2f of it charged", name, each, size, charged)
		if each > tt.most {
			t.Errorf("%s: %d bytes each; want at most %d", name, each, tt.most)
		}
		if charged < 0.9 || charged > tt.charged {
			t.Errorf("%s: caches count %.2f of what it takes; want 0.90 to %.2f", name, charged, tt.charged)
		}
		if tt.layers == nil && (size < 0.9*float64(each) || size > 1.1*float64(each)) {
			t.Errorf("%s: the estimate of %.0f bytes is far from %d", name, size, each)
		}
	}
}

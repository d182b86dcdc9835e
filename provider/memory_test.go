package provider_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/heap"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/payload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// decoded returns the data of a release as it comes from a registry.
func decoded(tb testing.TB, r testpayload.Release) provider.ReleaseData {
	tb.Helper()
	files := payload.Files{ImageReferences: r.Files[testpayload.ImageReferencesFile], BootImages: r.Files[testpayload.BootImagesFile]}
	if files.ImageReferences == nil {
		files = payload.Files{ImageReferences: r.ImageReferences(), BootImages: r.BootImagesConfigMap()}
	}
	d, err := payload.Decode(files)
	if err != nil {
		tb.Fatal(err)
	}
	d.Image = imageref.MustParse("quay.io/openshift-release-dev/ocp-release@" + testpayload.Digest(files.ImageReferences))
	d.Digest = d.Image.Digest()
	return d
}

// translated returns r as live translation makes it, through two mirrors.
func translated(tb testing.TB, r *provider.Release) *provider.Release {
	return r.Derive("translated", func(d *provider.ReleaseData) {
		for i := range d.Components {
			c := &d.Components[i]
			c.Image = moved(tb, c.Canonical, "registry.example.com:5000/mirror/ocp-v4.0-art-dev")
			c.PullFrom = []imageref.Ref{
				moved(tb, c.Canonical, "mirror-one.example.com:8443/openshift/release"),
				moved(tb, c.Canonical, "mirror-two.example.com:8443/openshift/release"),
			}
		}
	})
}

func moved(tb testing.TB, r imageref.Ref, name string) imageref.Ref {
	tb.Helper()
	m, err := imageref.Parse(name + "@" + r.Digest())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// A release held in a cache, boot images and one translated view included, takes
// at most 160 KB of heap (docs/benchmarks.md, P9).
func TestHeap(t *testing.T) {
	const limit = 160 * 1000
	releases := map[string]testpayload.Release{"generated": {Components: 146}}
	if folder := os.Getenv(testpayload.FolderVariable); folder != "" {
		real, err := testpayload.RealRelease(folder, testpayload.SingleStream)
		if err != nil {
			t.Fatal(err)
		}
		releases["real"] = real
	}
	for name, r := range releases {
		t.Run(name, func(t *testing.T) {
			const n = 50
			kept := make([]*provider.Release, n)
			before := heap.InUse()
			for i := range kept {
				rel, err := provider.NewRelease(decoded(t, r))
				if err != nil {
					t.Fatal(err)
				}
				kept[i] = rel
			}
			plain := (heap.InUse() - before) / n
			for _, rel := range kept {
				translated(t, rel)
				if _, err := bootimages.Of(rel); err != nil {
					t.Fatal(err)
				}
			}
			each := (heap.InUse() - before) / n
			t.Logf("a release takes %d bytes of heap, %d with a translated view and decoded boot images", plain, each)
			if each > limit {
				t.Errorf("%d bytes of heap for a release, want at most %d", each, limit)
			}
			runtime.KeepAlive(kept)
		})
	}
}

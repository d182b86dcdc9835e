package hypershift

import (
	"os"
	"runtime"
	"testing"

	imagev1 "github.com/openshift/api/image/v1"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// realistic returns a release of 146 components with the boot images of two streams: the real
// one where it is at hand.
func realistic(tb testing.TB) testpayload.Release {
	tb.Helper()
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		return testpayload.Release{Components: 146, Manifests: -1, BootImages: testpayload.MultiStream}
	}
	release, err := testpayload.RealRelease(folder, testpayload.MultiStream)
	if err != nil {
		tb.Fatal(err)
	}
	return release
}

// warm returns a lookup of a release that is cached, with a pull secret and boot images.
func warm(tb testing.TB) func() *ReleaseImage {
	tb.Helper()
	_, mirror, base := start(tb)
	spec := mirror.ByDigest("ocp", mirror.Push("ocp", "", testpayload.Must(realistic(tb).Image()))).String()
	r := adapter(tb, base, nil, nil)
	secret := []byte(`{"auths":{"quay.io":{"auth":"dTpw"},"registry.example.com":{"auth":"dTpw"}}}`)
	return func() *ReleaseImage {
		release, err := r.Lookup(tb.Context(), spec, secret)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := release.StreamForName("rhel-9"); err != nil {
			tb.Fatal(err)
		}
		return release
	}
}

// P16: a warm lookup, boot images included, takes at most the memory that HyperShift's own
// cache takes to copy the ImageStream.
func TestWarmLookup(t *testing.T) {
	lookup := warm(t)
	lookup()
	const n = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		lookup()
	}
	runtime.ReadMemStats(&after)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / n; bytes > 80<<10 {
		t.Errorf("a warm lookup allocates %d bytes, want at most 80 KB", bytes)
	}
	if got := testing.AllocsPerRun(n, func() { lookup() }); got > 320 {
		t.Errorf("%.0f allocations, want at most 320: one map for each of 146 components, and little else", got)
	}
}

// BenchmarkAdapter is P16, beside the copy of the ImageStream that HyperShift's cache hands
// out.
func BenchmarkAdapter(b *testing.B) {
	lookup := warm(b)
	stream := lookup().ImageStream
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			lookup()
		}
	})
	var sink *imagev1.ImageStream
	b.Run("deepcopy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink = stream.DeepCopy()
		}
	})
	_ = sink
}

package registry_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// R6: bombs. Each is verified content: the digests are right.
func TestLimits(t *testing.T) {
	release := testpayload.Release{Components: 2, Manifests: -1, BootImages: testpayload.NoBootImages}
	layer := func(l testpayload.Layer, entries ...testpayload.Entry) testpayload.Image {
		l.Entries = append(entries, release.Layer().Entries...)
		return testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{l}}.Image())
	}
	with := func(name string, data []byte) testpayload.Image {
		r := release
		r.BaseLayers = []int64{}
		r.Files = map[string][]byte{name: data}
		return testpayload.Must(r.Image())
	}
	file := func(name string, size int) testpayload.Image { return with(name, bytes.Repeat([]byte(" "), size)) }
	fields := `{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"managedFields":[` + strings.Repeat("0,", 1<<20) + `0]}}`
	limits := registry.Limits{LayerUnpacked: 64 << 20, LayerEntries: 10_000, LayerCompressed: 1 << 20}
	for _, tt := range []struct {
		name  string
		image testpayload.Image
		class provider.Class
		says  string
	}{
		{"gzip bomb", layer(testpayload.Layer{}, testpayload.Zeros("a", 60<<20), testpayload.Zeros("b", 60<<20)), provider.ClassLimit, "unpack"},
		{"zstd bomb", layer(testpayload.Layer{Compression: testpayload.Zstd}, testpayload.Zeros("a", 60<<20), testpayload.Zeros("b", 60<<20)), provider.ClassLimit, "unpack"},
		{"an entry too large", layer(testpayload.Layer{}, testpayload.Zeros("huge", 80<<20)), provider.ClassLimit, `"huge"`},
		{"many entries", layer(testpayload.Layer{}, testpayload.Entry{Name: "x", Repeat: 20_000}), provider.ClassLimit, "10000 entries"},
		{"a way out", layer(testpayload.Layer{}, testpayload.File("../../tmp/x", "")), provider.ClassMalformed, `"../../tmp/x" leads out`},
		{"a link out", layer(testpayload.Layer{}, testpayload.HardLink("release-manifests/release-metadata", "../../etc/shadow")), provider.ClassMalformed, "out of the image"},
		{"image-references", file(testpayload.ImageReferencesFile, 8<<20+1), provider.ClassLimit, "image-references"},
		{"many values in image-references", with(testpayload.ImageReferencesFile, []byte(fields)), provider.ClassLimit, "more than 200000 values"},
		{"release-metadata", file(testpayload.MetadataFile, 16<<20+1), provider.ClassLimit, "release-metadata"},
		{"a layer too large", testpayload.Must(testpayload.Spec{Base: []testpayload.Blob{testpayload.VirtualLayer(false, 1, 2<<20)}}.Image()), provider.ClassLimit, "at most 1048576"},
		{"not a tar", layer(testpayload.Layer{Raw: []byte("this is no tar file at all")}), provider.ClassMalformed, ""},
		{"not gzip inside", layer(testpayload.Layer{Raw: []byte("\x1f\x8b nor this gzip")}), provider.ClassMalformed, "gzip"},
		{"a strange layer", layer(testpayload.Layer{MediaType: "application/vnd.oci.image.layer.v1.tar+encrypted"}), provider.ClassMalformed, "encrypted"},
		{"no release", testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{testpayload.File("etc/hosts", "")}}}}.Image()), provider.ClassMalformed, "not a release image"},
		{"not JSON", file(testpayload.ImageReferencesFile, 100), provider.ClassMalformed, "image-references"},
		{"no layers", testpayload.Must(testpayload.Spec{}.Image()), provider.ClassMalformed, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			req := request(reg.ByDigest(repo, reg.Push(repo, "", tt.image)))
			p := open(t, reg, func(c *registry.Config) { c.Limits = limits })
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := p.Lookup(t.Context(), req)
			runtime.ReadMemStats(&after)
			wantError(t, err, tt.class, tt.says)
			// All that was ever allocated for it, freed or not: far less than the bomb.
			if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
				t.Errorf("%d MiB were allocated", got>>20)
			}
		})
	}

	t.Run("endless manifest", func(t *testing.T) {
		reg := start(t, testregistry.Config{})
		req := request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))
		reg.Fail(manifests, testregistry.Endless())
		_, err := open(t, reg).Lookup(t.Context(), req)
		wantError(t, err, provider.ClassLimit, "more than 4194304 bytes")
	})
	t.Run("large manifest", func(t *testing.T) {
		reg := start(t, testregistry.Config{})
		img := testpayload.Raw(testpayload.OCIManifest, []byte(strings.Repeat(" ", 4<<20+1)))
		_, err := open(t, reg).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", img))))
		wantError(t, err, provider.ClassLimit, "more than 4194304 bytes")
		if n := reg.Bytes(); n >= 4<<20 {
			t.Errorf("%d bytes were fetched", n)
		}
	})
}

// The default holds too, for an entry of 10 GB.
func TestDefaultLimit(t *testing.T) {
	reg := start(t, testregistry.Config{})
	img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{testpayload.Zeros("huge", 10<<30)}}}}.Image())
	_, err := open(t, reg).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", img))))
	wantError(t, err, provider.ClassLimit, "10737418240 bytes")
}

func TestConfig(t *testing.T) {
	if _, err := registry.New(registry.Config{Limits: registry.Limits{Manifest: -1}}); err == nil || !strings.Contains(err.Error(), "Limits.Manifest") {
		t.Errorf("got %v", err)
	}
}

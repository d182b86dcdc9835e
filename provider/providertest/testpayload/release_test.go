package testpayload_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

type descriptor struct {
	MediaType, Digest string
	Size              int64
	Platform          *struct{ OS, Architecture, Variant string }
}

// wantConsistent checks that an image's manifest names what its blobs are.
func wantConsistent(t *testing.T, img testpayload.Image) {
	t.Helper()
	var m struct {
		SchemaVersion int
		MediaType     string
		Config        descriptor
		Layers        []descriptor
	}
	if err := json.Unmarshal(img.Manifest, &m); err != nil {
		t.Fatal(err)
	}
	if m.SchemaVersion != 2 || m.MediaType != img.MediaType || testpayload.Digest(img.Manifest) != img.Digest || len(m.Layers) != len(img.Layers()) {
		t.Errorf("manifest %s of type %s, digest %s", img.Manifest, img.MediaType, img.Digest)
	}
	for i, d := range append([]descriptor{m.Config}, m.Layers...) {
		b := img.Blobs[i]
		h := sha256.New()
		n, err := b.WriteTo(h)
		digest := "sha256:" + hex.EncodeToString(h.Sum(nil))
		if err != nil || n != d.Size || n != b.Size || digest != d.Digest || digest != b.Digest || d.MediaType != b.MediaType {
			t.Errorf("blob %d: %d bytes, %s, %v; the manifest says %+v, the blob %+v", i, n, digest, err, d, b.Descriptor)
		}
	}
}

func TestRelease(t *testing.T) {
	r := testpayload.Release{}
	img := testpayload.Must(r.Image())
	wantConsistent(t, img)

	// The reference payload of the benchmarks: three base layers of 50 MB, and a
	// release layer of about 485 KB with 800 manifests.
	if n := len(img.Layers()); n != 4 {
		t.Fatalf("%d layers, want 4", n)
	}
	for _, b := range img.Layers()[:3] {
		if !b.Virtual() || b.Size < 49_000_000 || b.Size > 51_000_000 {
			t.Errorf("a base layer of %d bytes, virtual %t", b.Size, b.Virtual())
		}
	}
	if s := img.Top().Size; s < 470_000 || s > 500_000 {
		t.Errorf("the release layer has %d bytes, want about 485,000", s)
	}
	entries := list(t, img.Top())
	if n := len(entries); n != 1+800+3 {
		t.Errorf("%d entries, want a directory, 800 manifests and 3 files", n)
	}
	for _, file := range []string{testpayload.ImageReferencesFile, testpayload.MetadataFile, testpayload.BootImagesFile} {
		if !slices.ContainsFunc(entries, func(e string) bool { return strings.HasPrefix(e, "0 644 "+file+">") }) {
			t.Errorf("%s is not there", file)
		}
	}
	if n := len(r.ComponentNames()); n != 190 {
		t.Errorf("%d components, want 190", n)
	}
	if n := len(r.BootImagesConfigMap()); n < 30_000 || n > 40_000 {
		t.Errorf("boot images of %d bytes, want about 33,000", n)
	}
	var c struct {
		Architecture, OS string
		Config           struct{ Labels map[string]string }
		RootFS           struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(img.Config().Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if c.Config.Labels["io.openshift.release"] != "4.17.3" || c.Architecture != "amd64" || c.OS != "linux" || len(c.RootFS.DiffIDs) != 4 {
		t.Errorf("config %+v", c)
	}
}

// The same value makes the same image, and each field another one.
func TestDeterministic(t *testing.T) {
	small := testpayload.Release{Components: 5, Manifests: -1, BaseLayers: []int64{1 << 16}}
	digests := map[string]string{testpayload.Must(small.Image()).Digest: "the release"}
	if second := testpayload.Must(small.Image()).Digest; digests[second] == "" {
		t.Error("the same release twice has two digests")
	}
	for name, change := range map[string]func(*testpayload.Release){
		"version":     func(r *testpayload.Release) { r.Version = "4.17.4" },
		"created":     func(r *testpayload.Release) { r.Created = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) },
		"components":  func(r *testpayload.Release) { r.Components = 6 },
		"repository":  func(r *testpayload.Release) { r.Repository = "quay.io/other/repo" },
		"annotations": func(r *testpayload.Release) { r.Annotations = map[string]map[string]string{"cli": {"x": "y"}} },
		"manifests":   func(r *testpayload.Release) { r.Manifests = 1 },
		"multi":       func(r *testpayload.Release) { r.BootImages = testpayload.MultiStream },
		"no boot":     func(r *testpayload.Release) { r.BootImages = testpayload.NoBootImages },
		"files":       func(r *testpayload.Release) { r.Files = map[string][]byte{testpayload.MetadataFile: nil} },
		"base":        func(r *testpayload.Release) { r.BaseLayers = []int64{1 << 20} },
		"no base":     func(r *testpayload.Release) { r.BaseLayers = []int64{} },
		"above":       func(r *testpayload.Release) { r.Above = []testpayload.Layer{{}} },
		"docker":      func(r *testpayload.Release) { r.Docker = true },
		"zstd":        func(r *testpayload.Release) { r.Compression = testpayload.Zstd },
		"plain":       func(r *testpayload.Release) { r.Compression = testpayload.Uncompressed },
		"platform":    func(r *testpayload.Release) { r.Platform = provider.Platform{Architecture: "arm64"} },
		"labels":      func(r *testpayload.Release) { r.Labels = map[string]string{"a": "b"} },
	} {
		r := small
		change(&r)
		img := testpayload.Must(r.Image())
		wantConsistent(t, img)
		if other, ok := digests[img.Digest]; ok {
			t.Errorf("%s makes the same image as %s", name, other)
		}
		digests[img.Digest] = name
	}
}

func TestComponents(t *testing.T) {
	for _, n := range []int{1, 10, 146, 190, 400} {
		names := testpayload.Release{Components: n}.ComponentNames()
		if len(names) != n || !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != n {
			t.Errorf("%d components: %d names, sorted and unique they are not", n, len(names))
		}
	}
	r := testpayload.Release{}
	if r.ComponentDigest("cli") == r.ComponentDigest("etcd") {
		t.Error("two components share a digest")
	}
	if v := r.ComponentVersions(); v["kubernetes"] == "" || v["machine-os"] == "" || v["kubectl"] == "" {
		t.Errorf("versions %v", v)
	}
	r.Annotations = map[string]map[string]string{"cli": {"io.openshift.build.commit.ref": "main", "io.openshift.build.source-location": ""}}
	refs := string(r.ImageReferences())
	if !strings.Contains(refs, `"io.openshift.build.commit.ref": "main"`) || strings.Contains(refs, "github.com/openshift/cli\"") {
		t.Error("annotations are not replaced")
	}
}

func TestIndex(t *testing.T) {
	amd := testpayload.Must(testpayload.Spec{}.Image())
	arm := testpayload.Must(testpayload.Spec{Platform: provider.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}.Image())
	for docker, mediaType := range map[bool]string{false: testpayload.OCIIndex, true: testpayload.DockerList} {
		img := testpayload.Index(docker, amd, arm)
		var m struct {
			MediaType string
			Manifests []descriptor
		}
		if err := json.Unmarshal(img.Manifest, &m); err != nil {
			t.Fatal(err)
		}
		if m.MediaType != mediaType || img.MediaType != mediaType || len(m.Manifests) != 2 || len(img.Children) != 2 || testpayload.Digest(img.Manifest) != img.Digest {
			t.Fatalf("index %s", img.Manifest)
		}
		if d := m.Manifests[1]; d.Digest != arm.Digest || d.Size != int64(len(arm.Manifest)) || d.Platform.Architecture != "arm64" || d.Platform.Variant != "v8" {
			t.Errorf("second entry %+v", d)
		}
	}
}

func TestRealRelease(t *testing.T) {
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		t.Skipf("%s is not set", testpayload.FolderVariable)
	}
	for _, boot := range []testpayload.BootImages{testpayload.SingleStream, testpayload.MultiStream, testpayload.NoBootImages} {
		r, err := testpayload.RealRelease(folder, boot)
		if err != nil {
			t.Fatal(err)
		}
		r.Manifests = -1
		img := testpayload.Must(r.Image())
		if n := len(list(t, img.Top())); n != map[bool]int{true: 3, false: 4}[boot == testpayload.NoBootImages] {
			t.Errorf("%d entries", n)
		}
	}
	if r, err := testpayload.RealRelease(t.TempDir(), testpayload.SingleStream); err == nil {
		t.Errorf("an empty folder made %+v", r)
	}
}

func BenchmarkRelease(b *testing.B) {
	for b.Loop() {
		testpayload.Must(testpayload.Release{}.Image())
	}
}

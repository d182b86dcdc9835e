package bootimages_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

func parse(t *testing.T, b []byte) *bootimages.BootImages {
	t.Helper()
	parsed, err := bootimages.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestSingleStream(t *testing.T) {
	r := testpayload.Release{}
	b := parse(t, r.BootImagesConfigMap())
	if b.ReleaseVersion() != "4.17.3" || len(b.Names()) != 0 {
		t.Errorf("release version %q, names %v", b.ReleaseVersion(), b.Names())
	}
	s, ok := b.Default()
	if !ok || s.Stream != "rhcos-4.17" || len(s.Architectures) != 4 {
		t.Fatalf("default stream %+v, %t", s, ok)
	}
	if d := s.Architectures["x86_64"].Artifacts["metal"].Formats["qcow2.gz"].Disk; d == nil || len(d.Sha256) != 64 {
		t.Errorf("metal disk %+v", d)
	}
	if ref, ok := b.KubeVirt("", "x86_64"); !ok || ref.String() != r.KubeVirtDigestRef("") {
		t.Errorf("KubeVirt image %s, %t", ref, ok)
	}
	if ref, ok := b.KubeVirt("", "s390x"); ok {
		t.Errorf("KubeVirt image %s for s390x", ref)
	}
	if s, ok := b.Stream("rhel-9"); ok {
		t.Errorf("a stream that is not there: %+v", s)
	}
}

func TestMultiStream(t *testing.T) {
	r := testpayload.Release{BootImages: testpayload.MultiStream}
	b := parse(t, r.BootImagesConfigMap())
	if diff := cmp.Diff([]string{"rhel-10", "rhel-9"}, b.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	var got []string
	for name, s := range b.Streams() {
		got = append(got, name+" "+s.Stream)
	}
	if diff := cmp.Diff([]string{"rhel-10 rhcos-4.22", "rhel-9 rhcos-4.21"}, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
	want := []bootimages.KubeVirtImage{
		{Streams: []string{"", "rhel-9"}, Architecture: "x86_64", Ref: imageref.MustParse(r.KubeVirtDigestRef("rhel-9"))},
		{Streams: []string{"rhel-10"}, Architecture: "x86_64", Ref: imageref.MustParse(r.KubeVirtDigestRef("rhel-10"))},
	}
	if diff := cmp.Diff(want, b.KubeVirtImages(), cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })); diff != "" {
		t.Errorf("KubeVirt images (-want +got):\n%s", diff)
	}
	if ref, ok := b.KubeVirt("rhel-10", "x86_64"); !ok || ref != want[1].Ref {
		t.Errorf("KubeVirt image of rhel-10: %s", ref)
	}
}

func TestReal(t *testing.T) {
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		t.Skipf("%s is not set", testpayload.FolderVariable)
	}
	for _, c := range []struct {
		boot   testpayload.BootImages
		stream string
		names  []string
		images int
	}{
		{testpayload.SingleStream, "rhcos-4.10", nil, 1},
		{testpayload.MultiStream, "rhcos-4.21", []string{"rhel-10", "rhel-9"}, 2},
	} {
		r, err := testpayload.RealRelease(folder, c.boot)
		if err != nil {
			t.Fatal(err)
		}
		b := parse(t, r.Files[testpayload.BootImagesFile])
		s, ok := b.Default()
		if !ok || s.Stream != c.stream || !slices.Equal(b.Names(), c.names) || len(b.KubeVirtImages()) != c.images {
			t.Errorf("stream %+v, names %v, images %v", s, b.Names(), b.KubeVirtImages())
		}
		if ref, ok := b.KubeVirt("", "x86_64"); !ok || ref.Name() != "quay.io/openshift-release-dev/ocp-v4.0-art-dev" {
			t.Errorf("KubeVirt image %s, %t", ref, ok)
		}
	}
}

func TestImmutable(t *testing.T) {
	b := parse(t, testpayload.Release{BootImages: testpayload.MultiStream}.BootImagesConfigMap())
	s, _ := b.Default()
	clear(s.Architectures)
	s, _ = b.Stream("rhel-9")
	s.Architectures["x86_64"].Images.KubeVirt.DigestRef = "changed"
	b.KubeVirtImages()[0].Streams[0] = "changed"
	b.KubeVirtImages()[0].Ref = imageref.Ref{}
	b.Names()[0] = "changed"

	if s, _ := b.Default(); len(s.Architectures) == 0 {
		t.Error("the default stream changed")
	}
	if s, _ := b.Stream("rhel-9"); s.Architectures["x86_64"].Images.KubeVirt.DigestRef == "changed" {
		t.Error("a stream changed")
	}
	if k := b.KubeVirtImages()[0]; k.Streams[0] != "" || k.Ref.IsZero() || b.Names()[0] != "rhel-10" {
		t.Error("a list changed")
	}
}

// What a release remembers is what Parse reads, and is shared.
func TestOf(t *testing.T) {
	configMap := testpayload.Release{BootImages: testpayload.MultiStream}.BootImagesConfigMap()
	of := func(bootImages []byte) (*bootimages.BootImages, error) {
		t.Helper()
		r, err := provider.NewRelease(provider.ReleaseData{Version: "1", BootImages: bootImages})
		if err != nil {
			t.Fatal(err)
		}
		b, err := bootimages.Of(r)
		if second, other := bootimages.Of(r); second != b || other != err {
			t.Errorf("Of: %p, %v; and then %p, %v", b, err, second, other)
		}
		return b, err
	}
	b, err := of(configMap)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(b.Names(), "") {
		own, ok := parse(t, configMap).Stream(name)
		shared, err := b.For(name)
		if !ok || err != nil || !reflect.DeepEqual(own, shared) {
			t.Errorf("stream %q: %v, and the copy differs", name, err)
		}
	}
	if _, err := b.For("rhel-8"); err == nil || !strings.Contains(err.Error(), `stream "rhel-8" not found; available streams: [rhel-10 rhel-9]`) {
		t.Errorf("a stream that is not there: %v", err)
	}
	single := parse(t, testpayload.Release{}.BootImagesConfigMap())
	if s, err := single.For("rhel-9"); err != nil || len(s.Architectures) == 0 {
		t.Errorf("the one stream: %v", err)
	}
	if _, err := of(nil); !errors.Is(err, bootimages.ErrNone) {
		t.Errorf("no boot images: %v", err)
	}
	if _, err := of([]byte("kind: Secret")); err == nil || errors.Is(err, bootimages.ErrNone) {
		t.Errorf("no ConfigMap: %v", err)
	}
}

// A machine that names a stream gets the one stream of a release that lists none. It does
// not get another one than it asked for from a release that lists its streams.
func TestListsNoStream(t *testing.T) {
	const standard = `{stream: '{"architectures": {"x86_64": {}}}'`
	for rest, want := range map[string]bool{
		"}": true, ", streams: ''}": true, ", streams: 'null'}": true,
		", streams: '{}'}": false, `, streams: '{"rhel-10": null}'}`: false, `, streams: '{"rhel-9": {}}'}`: false,
	} {
		b := parse(t, []byte("kind: ConfigMap\ndata: "+standard+rest))
		if _, err := b.For("rhel-10"); (err == nil) != want {
			t.Errorf("%s: %v; want a stream %t", rest, err, want)
		}
		if _, err := b.For(""); err != nil {
			t.Errorf("%s: the default stream: %v", rest, err)
		}
	}
}

// A stream that says nothing is none, as for HyperShift.
func TestEmptyStreams(t *testing.T) {
	for _, data := range []string{
		"{stream: ''}", "{stream: '{}'}", "{stream: 'null'}", "{stream: '{ }', streams: ''}", "{streams: '{}'}", "{streams: 'null'}",
		`{streams: '{"rhel-9": null, "rhel-10": {}}'}`,
	} {
		b, err := bootimages.Parse([]byte("kind: ConfigMap\ndata: " + data))
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		if _, ok := b.Default(); ok || len(b.Names()) > 0 || len(b.KubeVirtImages()) > 0 {
			t.Errorf("%s: %+v", data, b)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		configMap string
		want      []string
	}{
		"nothing":            {"", []string{"kind"}},
		"not YAML":           {"\t- {", []string{"ConfigMap"}},
		"another kind":       {"kind: Secret\ndata: {stream: '{}'}", []string{`"Secret"`}},
		"no stream":          {"kind: ConfigMap\ndata: {releaseVersion: 4.17.3}", []string{"data.stream"}},
		"stream not JSON":    {"kind: ConfigMap\ndata: {stream: 'x'}", []string{"data.stream", "JSON"}},
		"streams a list":     {"kind: ConfigMap\ndata: {streams: '[]'}", []string{"data.streams", "object"}},
		"stream has no name": {`{"kind":"ConfigMap","data":{"streams":"{\"\":{}}"}}`, []string{"data.streams", "name"}},
		"bad named stream":   {`{"kind":"ConfigMap","data":{"streams":"{\"rhel-9\":7}"}}`, []string{"data.streams", `"rhel-9"`}},
		"bad digest-ref":     {`{"kind":"ConfigMap","data":{"stream":"{\"architectures\":{\"x86_64\":{\"images\":{\"kubevirt\":{\"digest-ref\":\"quay.io/A\"}}}}}"}}`, []string{"data.stream", "x86_64", "digest-ref", "quay.io/A"}},
		"tag as digest-ref":  {`{"kind":"ConfigMap","data":{"stream":"{\"architectures\":{\"x86_64\":{\"images\":{\"kubevirt\":{\"digest-ref\":\"quay.io/a:b\"}}}}}"}}`, []string{"digest-ref", "no digest"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := bootimages.Parse([]byte(c.configMap))
			if err == nil {
				t.Fatalf("parsed to %+v", b)
			}
			for _, part := range append(c.want, "coreos-bootimages") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// A few bytes a node must not become gigabytes.
func TestBounded(t *testing.T) {
	const size = bootimages.MaxSize
	fill := func(before, element, after string) string {
		return before + strings.Repeat(element, (size-len(before)-len(after))/len(element)) + after
	}
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  %d: a\n", i)
		}
		return b.String()
	}
	utf16 := []byte{0xff, 0xfe}
	for _, c := range []byte(fill("", "0,", "")[:size/2-2]) {
		utf16 = append(utf16, c, 0)
	}
	hidden := `\x2c0`
	for name, c := range map[string]struct{ configMap, want string }{
		"size":           {fill("kind: ConfigMap\n#", "x", "") + "xx", "bytes; at most 4194304 are read"},
		"flow":           {fill("data: {x: [", "0,", "]}"), "more than 20000 keys and entries"},
		"deep flow":      {fill("", "[", ""), "more than 20000 keys and entries"},
		"deep maps":      {fill("", "{a: ", ""), "more than 20000 keys and entries"},
		"keys":           {"kind: ConfigMap\ndata:\n" + keys(300_000), "more than 20000 keys and entries"},
		"block":          {fill("data:\n", "-\n", ""), "more than 20000 keys and entries"},
		"other break":    {fill("data:\n", "-\u0085", ""), "more than 20000 keys and entries"},
		"explicit keys":  {fill("data:\n", "?\n", ""), "more than 20000 keys and entries"},
		"UTF-16":         {string(utf16), "more than 20000 keys and entries"},
		"hidden stream":  {fill(`{kind: ConfigMap, data: {stream: "{\"architectures\":[0`, hidden, `]}"}}`), "data.stream: more than 50000 values"},
		"hidden streams": {fill(`{kind: ConfigMap, data: {streams: "{\"x\":[0`, hidden, `]}"}}`), "data.streams: more than 50000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := bootimages.Parse([]byte(c.configMap))
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 200 {
				t.Errorf("%v; want %q", err, c.want)
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 96 {
				t.Errorf("allocated %d MiB", mb)
			}
		})
	}
	// What is just within the limit costs little too.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := bootimages.Parse([]byte("kind: ConfigMap\nx: [" + strings.Repeat("0,", 19_000) + "]\n"))
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "neither data.stream") {
		t.Error(err)
	}
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 128 {
		t.Errorf("allocated %d MiB", mb)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("kind: ConfigMap\ndata:\n  stream: |\n    {\"architectures\":{\"x86_64\":{\"images\":{\"kubevirt\":{\"digest-ref\":\"quay.io/a@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}}}}\n"))
	f.Add([]byte(`{"kind":"ConfigMap","data":{"streams":"{\"rhel-9\":{\"architectures\":{\"s390x\":{}}}}"}}`))
	f.Add([]byte("kind: &a ConfigMap\ndata: {stream: *a}"))
	f.Fuzz(func(t *testing.T, configMap []byte) {
		b, err := bootimages.Parse(configMap)
		if err != nil {
			return
		}
		if _, ok := b.Default(); !ok && len(b.Names()) == 0 {
			t.Error("parsed to no stream")
		}
		for _, name := range b.Names() {
			if s, ok := b.Stream(name); !ok || len(s.Architectures) == 0 {
				t.Errorf("stream %q cannot be read: %+v", name, s)
			}
		}
		for _, k := range b.KubeVirtImages() {
			for _, s := range k.Streams {
				if ref, ok := b.KubeVirt(s, k.Architecture); !ok || ref.Digest() == "" {
					t.Errorf("KubeVirt image %s of stream %q", ref, s)
				}
			}
		}
	})
}

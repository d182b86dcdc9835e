package payload_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	imagev1 "github.com/openshift/api/image/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/payload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// stream returns image-references with these tags.
func stream(tags string) []byte {
	return []byte(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"4.17.3"},"spec":{"tags":[` + tags + `]}}`)
}

// tag returns one tag with a versions annotation.
func tag(name, versions string) string {
	return fmt.Sprintf(`{"name":%q,"from":{"kind":"DockerImage","name":"quay.io/a/b@%s"},"annotations":{"io.openshift.build.versions":%q}}`, name, digest, versions)
}

func TestGenerated(t *testing.T) {
	r := testpayload.Release{BootImages: testpayload.MultiStream}
	d, err := payload.Decode(payload.Files{
		ImageReferences: r.ImageReferences(),
		Metadata:        []byte(`{"kind":"cincinnati-metadata-v0","version":"4.17.3","previous":["4.17.2"],"next":["4.17.4"],"metadata":{"url":"https://example.com/errata","n":1}}`),
		BootImages:      r.BootImagesConfigMap(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.Version != "4.17.3" || !d.Created.Equal(time.Date(2024, 10, 28, 9, 15, 42, 0, time.UTC)) {
		t.Errorf("version %s, created %s", d.Version, d.Created)
	}
	var names []string
	for _, c := range d.Components {
		names = append(names, c.Name)
		if c.Canonical.Digest() != r.ComponentDigest(c.Name) || c.Image != c.Canonical {
			t.Errorf("%s is %s, canonical %s", c.Name, c.Image, c.Canonical)
		}
		if c.Annotations["io.openshift.build.source-location"] == "" {
			t.Errorf("%s lost its annotations", c.Name)
		}
	}
	if diff := cmp.Diff(r.ComponentNames(), names); diff != "" {
		t.Errorf("components (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(r.ComponentVersions(), d.ComponentVersions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	want := provider.Metadata{Previous: []string{"4.17.2"}, Next: []string{"4.17.4"}, URL: "https://example.com/errata"}
	if diff := cmp.Diff(want, d.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if string(d.BootImages) != string(r.BootImagesConfigMap()) {
		t.Error("boot images differ")
	}
	if _, err := provider.NewRelease(d); err != nil {
		t.Error(err)
	}
}

func TestReal(t *testing.T) {
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		t.Skipf("%s is not set", testpayload.FolderVariable)
	}
	r, err := testpayload.RealRelease(folder, testpayload.SingleStream)
	if err != nil {
		t.Fatal(err)
	}
	d, err := payload.Decode(payload.Files{ImageReferences: r.Files[testpayload.ImageReferencesFile]})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Components) != 146 || d.Version != r.Version || d.Created.Year() != 2021 {
		t.Errorf("%d components, version %s, created %s", len(d.Components), d.Version, d.Created)
	}
	want := map[string]string{"kubernetes": "1.22.1", "machine-os": "410.84.202111112202-0"}
	if diff := cmp.Diff(want, d.ComponentVersions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestComponentVersions(t *testing.T) {
	for name, c := range map[string]struct {
		annotations []string
		want        map[string]string
	}{
		"none":                     {[]string{""}, nil},
		"several in one":           {[]string{"kubernetes=1.30.5, machine-os=417.94.202410160352-0"}, map[string]string{"kubernetes": "1.30.5", "machine-os": "417.94.202410160352-0"}},
		"the same twice":           {[]string{"kubernetes=1.30.5", "kubernetes=1.30.5"}, map[string]string{"kubernetes": "1.30.5"}},
		"different ones":           {[]string{"kubernetes=1.30.5", "kubernetes=1.30.4"}, map[string]string{"kubernetes": "1.30.4"}},
		"build metadata":           {[]string{"kubernetes=1.30.5-rc.1+abcdef"}, map[string]string{"kubernetes": "1.30.5-rc.1"}},
		"malformed beside good":    {[]string{"kubernetes", "machine-os=417.94.1-0"}, map[string]string{"machine-os": "417.94.1-0"}},
		"malformed pair in good":   {[]string{"kubernetes=1.30.5,oops"}, nil},
		"not a semantic version":   {[]string{"kubernetes=v1.30"}, nil},
		"leading zero":             {[]string{"kubernetes=1.030.5"}, nil},
		"name of one letter":       {[]string{"k=1.30.5"}, nil},
		"name with capitals":       {[]string{"Kubernetes=1.30.5"}, nil},
		"name ending in a hyphen":  {[]string{"kubernetes-=1.30.5"}, nil},
		"empty pair":               {[]string{"kubernetes=1.30.5,"}, nil},
		"value with an equal sign": {[]string{"kubernetes=1.30.5=x"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var tags []string
			for i, a := range c.annotations {
				tags = append(tags, tag(fmt.Sprint("c", i), a))
			}
			d, err := payload.Decode(payload.Files{ImageReferences: stream(strings.Join(tags, ","))})
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(d.ComponentVersions, c.want) {
				t.Errorf("versions %v, want %v", d.ComponentVersions, c.want)
			}
			if len(d.Components) != len(c.annotations) {
				t.Errorf("%d components, want %d", len(d.Components), len(c.annotations))
			}
		})
	}
}

// Of kubectl, what the images say counts that hand it out.
func TestVersionOfKubectl(t *testing.T) {
	d, err := payload.Decode(payload.Files{ImageReferences: stream(strings.Join([]string{
		tag("cli", "kubectl=1.30.5"), tag("cli-artifacts", "kubectl=1.30.5"), tag("tools", "kubectl=1.29.1,kubernetes=1.30.5"),
	}, ","))})
	want := map[string]string{"kubectl": "1.30.5", "kubernetes": "1.30.5"}
	if err != nil || !maps.Equal(d.ComponentVersions, want) {
		t.Errorf("versions %v, %v; want %v", d.ComponentVersions, err, want)
	}
}

func TestSkipsOtherKinds(t *testing.T) {
	d, err := payload.Decode(payload.Files{ImageReferences: stream(tag("one", "") +
		`,{"name":"two","from":{"kind":"ImageStreamTag","name":"x:latest"}},{"name":"three"},{"from":{"kind":"ImageStreamImage","name":"x@y"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Components) != 1 || d.Components[0].Name != "one" {
		t.Errorf("components %v", d.Components)
	}
}

func TestRefuses(t *testing.T) {
	good := stream(tag("one", ""))
	for name, c := range map[string]struct {
		files payload.Files
		want  []string // parts of the error
	}{
		"nothing":           {payload.Files{}, []string{payload.ImageReferences, "empty"}},
		"not JSON":          {payload.Files{ImageReferences: []byte("kind: ImageStream")}, []string{payload.ImageReferences, "JSON"}},
		"cut off":           {payload.Files{ImageReferences: good[:len(good)-2]}, []string{payload.ImageReferences, "JSON"}},
		"data behind":       {payload.Files{ImageReferences: append(slices.Clone(good), "{}"...)}, []string{payload.ImageReferences, "JSON"}},
		"not UTF-8":         {payload.Files{ImageReferences: []byte("\xff\xfe{}")}, []string{payload.ImageReferences, "JSON"}},
		"another kind":      {payload.Files{ImageReferences: []byte(`{"kind":"ImageStreamTag","apiVersion":"image.openshift.io/v1","metadata":{"name":"x"}}`)}, []string{payload.ImageReferences, `"ImageStreamTag"`}},
		"another version":   {payload.Files{ImageReferences: []byte(`{"kind":"ImageStream","apiVersion":"v1","metadata":{"name":"x"}}`)}, []string{payload.ImageReferences, `"v1"`, "image.openshift.io/v1"}},
		"a line as version": {payload.Files{ImageReferences: []byte(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"4.17.3\nRelease 4.17.3: all 190 images are available"}}`)}, []string{payload.ImageReferences, "metadata.name", "semantic version"}},
		"half a version":    {payload.Files{ImageReferences: []byte(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"4.17"}}`)}, []string{`"4.17"`, "semantic version"}},
		"no version":        {payload.Files{ImageReferences: []byte(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1"}`)}, []string{payload.ImageReferences, "metadata.name"}},
		"no image":          {payload.Files{ImageReferences: stream("")}, []string{payload.ImageReferences, "spec.tags"}},
		"bad date":          {payload.Files{ImageReferences: []byte(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"x","creationTimestamp":"yesterday"}}`)}, []string{payload.ImageReferences, "yesterday"}},
		"unnamed tag":       {payload.Files{ImageReferences: stream(tag("one", "") + "," + tag("", ""))}, []string{payload.ImageReferences, "spec.tags[1]", "name is empty"}},
		"the same tag":      {payload.Files{ImageReferences: stream(tag("one", "") + "," + tag("one", ""))}, []string{payload.ImageReferences, "spec.tags[1]", `"one"`}},
		"bad image":         {payload.Files{ImageReferences: stream(tag("one", "") + `,{"name":"two","from":{"kind":"DockerImage","name":"quay.io/A/b@sha256:12"}}`)}, []string{payload.ImageReferences, "spec.tags[1]", `"two"`, "quay.io/A/b@sha256:12"}},
		"no image name":     {payload.Files{ImageReferences: stream(`{"name":"two","from":{"kind":"DockerImage"}}`)}, []string{payload.ImageReferences, "spec.tags[0]", `"two"`}},
		"bad metadata":      {payload.Files{ImageReferences: good, Metadata: []byte("{")}, []string{payload.Metadata, "JSON"}},
		"empty metadata":    {payload.Files{ImageReferences: good, Metadata: []byte{}}, []string{payload.Metadata, "JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := payload.Decode(c.files)
			if err == nil {
				t.Fatalf("decoded to %+v", d)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestUnknownMetadataSaysNothing(t *testing.T) {
	d, err := payload.Decode(payload.Files{ImageReferences: stream(tag("one", "")), Metadata: []byte(`{"kind":"cincinnati-metadata-v9","previous":["1.0.0"]}`)})
	if err != nil || d.Metadata.Previous != nil {
		t.Errorf("metadata %+v, %v", d.Metadata, err)
	}
}

// What is read is what the API's own type has under these keys.
func TestAgreesWithTheAPI(t *testing.T) {
	b := testpayload.Release{}.ImageReferences()
	var is imagev1.ImageStream
	if err := json.Unmarshal(b, &is); err != nil {
		t.Fatal(err)
	}
	d, err := payload.Decode(payload.Files{ImageReferences: b})
	if err != nil {
		t.Fatal(err)
	}
	if is.APIVersion != imagev1.GroupVersion.String() || d.Version != is.Name || !d.Created.Equal(is.CreationTimestamp.Time) || len(d.Components) != len(is.Spec.Tags) {
		t.Fatalf("version %s, created %s, %d components; want %s, %s, %d", d.Version, d.Created, len(d.Components), is.Name, is.CreationTimestamp, len(is.Spec.Tags))
	}
	for i, c := range d.Components {
		tag := is.Spec.Tags[i]
		if c.Name != tag.Name || c.Image.String() != tag.From.Name || !maps.Equal(c.Annotations, tag.Annotations) {
			t.Errorf("component %+v; want %+v", c, tag)
		}
	}
}

// A few bytes an element in any list must not become gigabytes.
func TestBounded(t *testing.T) {
	const size = 8 << 20
	fill := func(element, before, after string) []byte {
		n := (size - len(before) - len(after)) / len(element)
		return []byte(before + strings.TrimSuffix(strings.Repeat(element, n), ",") + after)
	}
	good := stream(tag("one", ""))
	head := `{"kind":"ImageStream","apiVersion":"image.openshift.io/v1",`
	for name, c := range map[string]struct {
		files payload.Files
		want  string
	}{
		"tags":           {payload.Files{ImageReferences: fill("{},", head+`"spec":{"tags":[`, "]}}")}, "more than 200000 values"},
		"no tags":        {payload.Files{ImageReferences: fill("0,", head+`"spec":{"tags":[`, "]}}")}, "more than 200000 values"},
		"status":         {payload.Files{ImageReferences: fill("{},", head+`"status":{"tags":[`, "]}}")}, "more than 200000 values"},
		"managed fields": {payload.Files{ImageReferences: fill("0,", head+`"metadata":{"managedFields":[`, "]}}")}, "more than 200000 values"},
		"metadata":       {payload.Files{ImageReferences: good, Metadata: fill("0,", `{"kind":"cincinnati-metadata-v0","metadata":{"x":[`, "]}}")}, "more than 200000 values"},
		"many tags":      {payload.Files{ImageReferences: stream(strings.Repeat("{},", 10_000) + "{}")}, "more than 10000 entries"},
		"folded key":     {payload.Files{ImageReferences: []byte(head + `"SPEC":{"\u0054ags":[` + strings.Repeat("{},", 10_000) + "{}]}}")}, "more than 10000 entries"},
		"no object":      {payload.Files{ImageReferences: stream("{},0,{}")}, "spec.tags: entry 1 is not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := payload.Decode(c.files)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
				t.Errorf("%v; want %q", err, c.want)
			}
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 64 {
				t.Errorf("allocated %d MiB", mb)
			}
		})
	}
	// What only looks large is read.
	if _, err := payload.Decode(payload.Files{ImageReferences: stream(tag("one", strings.Repeat("a=1.0.0,", 100_000)))}); err != nil {
		t.Error(err)
	}
}

func FuzzImageReferences(f *testing.F) {
	f.Add(testpayload.Release{Components: 3}.ImageReferences())
	f.Add(stream(tag("one", "kubernetes=1.30.5,machine-os=417.94.1-0")))
	f.Add(stream(`{"name":"x","from":{"kind":"DockerImage","name":"a"}},{"name":"y","from":null}`))
	f.Add([]byte(`{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"\u0000","creationTimestamp":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := payload.Decode(payload.Files{ImageReferences: b})
		if err != nil {
			if !strings.HasPrefix(err.Error(), payload.ImageReferences+": ") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		// What is decoded is a release, and nothing that JSON has no name for.
		if !json.Valid(b) {
			t.Error("decoded what is no JSON")
		}
		if _, err := provider.NewRelease(d); err != nil {
			t.Errorf("decoded to no release: %v", err)
		}
		for name, v := range d.ComponentVersions {
			if name == "" || v == "" || strings.ContainsAny(name+v, ",=+ ") {
				t.Errorf("version %q of %q", v, name)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	f := payload.Files{ImageReferences: testpayload.Release{}.ImageReferences()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := payload.Decode(f); err != nil {
			b.Fatal(err)
		}
	}
}

package hypershift

import (
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// release looks up a release that is pushed for it.
func release(t *testing.T, r testpayload.Release) (*ReleaseImage, error) {
	t.Helper()
	_, mirror, base := start(t)
	spec := mirror.ByDigest("ocp", mirror.Push("ocp", "", testpayload.Must(r.Image())))
	return open(t, base, nil).Lookup(t.Context(), spec.String(), nil)
}

// with returns a release with a file of this text; "" is none.
func with(file, text string) testpayload.Release {
	r := payload
	r.Files = map[string][]byte{file: []byte(text)}
	if text == "" {
		r.Files[file] = nil
	}
	return r
}

// The rows of HyperShift's deserialize_test.go for the ImageStream, and what it takes for
// one without complaint: an error names the file and the entry, never its whole text.
func TestImageStream(t *testing.T) {
	const head = `{"kind":"ImageStream","apiVersion":"image.openshift.io/v1","metadata":{"name":"4.17.3"},"spec":{"tags":[`
	for name, c := range map[string]struct{ text, want string }{
		"no file":             {"", "it has no release-manifests/image-references"},
		"no JSON":             {"not valid json {", "release-manifests/image-references: not an ImageStream in JSON"},
		"another kind":        {`{"kind":"Secret"}`, `release-manifests/image-references: kind "Secret"`},
		"no version":          {strings.Replace(head, "4.17.3", "", 1) + "]}}", "metadata.name is empty"},
		"no tags":             {head + "]}}", "spec.tags names no container image"},
		"a tag without image": {head + `{"name":"cli","from":{"kind":"DockerImage","name":""}}]}}`, `spec.tags[0] ("cli"): from.name`},
	} {
		_, err := release(t, with(testpayload.ImageReferencesFile, c.text))
		if err == nil || !strings.Contains(err.Error(), "failed to get release image ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// The rows of HyperShift's deserialize_test.go for boot images, and those of its
// TestStreamForName that a release can state. HyperShift fails a lookup for boot images that
// it cannot read, those of platforms included that need none; here it fails who asks for them.
func TestBootImages(t *testing.T) {
	const (
		nine = `{"rhel-9":{"stream":"rhcos-4.21","architectures":{"x86_64":{}}}}`
		one  = `{"stream":"rhcos-4.17","architectures":{"x86_64":{}}}`
	)
	data := func(lines ...string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: test\ndata:\n  " + strings.Join(lines, "\n  ") + "\n"
	}
	for name, c := range map[string]struct {
		configMap, stream string
		want              string // the stream, or the words of the error
	}{
		"one stream":                        {data("stream: '" + one + "'"), "", "rhcos-4.17"},
		"one stream, by any name":           {data("stream: '" + one + "'"), "rhel-10", "rhcos-4.17"},
		"only named ones":                   {data("streams: '" + nine + "'"), "rhel-9", "rhcos-4.21"},
		"only named ones, none asked for":   {data("streams: '" + nine + "'"), "", `stream "" not found; available streams: [rhel-9]`},
		"only named ones, another":          {data("streams: '" + nine + "'"), "rhel-10", `stream "rhel-10" not found; available streams: [rhel-9]`},
		"both":                              {data("stream: '"+one+"'", "streams: '"+nine+"'"), "rhel-9", "rhcos-4.21"},
		"both, none asked for":              {data("stream: '"+one+"'", "streams: '"+nine+"'"), "", "rhcos-4.17"},
		"both, another":                     {data("stream: '"+one+"'", "streams: '"+nine+"'"), "rhel-8", "available streams: [rhel-9]"},
		"no stream is listed":               {data("stream: '"+one+"'", "streams: '{}'"), "rhel-10", `stream "rhel-10" not found; available streams: []`},
		"a null entry":                      {data("stream: '"+one+"'", `streams: '{"rhel-10":null,`+nine[1:]+"'"), "rhel-10", "available streams: [rhel-9]"},
		"neither key":                       {data(`releaseVersion: "5.0.0"`), "", "neither data.stream nor data.streams names a stream"},
		"streams is an empty map":           {data(`streams: "{}"`), "", "available streams: []"},
		"stream is no JSON":                 {data(`stream: "not valid json {"`), "", "data.stream: not a stream in JSON"},
		"streams is no JSON":                {data(`streams: "not valid json {"`), "", "data.streams: not a JSON object of streams"},
		"streams is good, stream is not":    {data("streams: '"+nine+"'", `stream: "not valid json {"`), "rhel-9", "data.stream: not a stream in JSON"},
		"no file":                           {"", "", "the release has no boot images"},
		"no YAML":                           {"{not yaml at all", "", "not a ConfigMap"},
		"another kind, though with streams": {strings.Replace(data("stream: '"+one+"'"), "ConfigMap", "Secret", 1), "", `kind is "Secret"`},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := release(t, with(testpayload.BootImagesFile, c.configMap))
			if err != nil {
				t.Fatal(err)
			}
			s, err := r.StreamForName(c.stream)
			switch {
			case err == nil && s.Stream != c.want:
				t.Errorf("stream %s, want %s", s.Stream, c.want)
			case err != nil && !strings.Contains(err.Error(), c.want):
				t.Errorf("%v; want %q", err, c.want)
			}
			if _, asked := r.ComponentImages()[component]; !asked {
				t.Error("the rest of the release cannot be read")
			}
		})
	}
}

// The rows of HyperShift's tests on boot images of real releases: 4.10 has PowerVS and
// KubeVirt, and the streams of 5.0 have images of their own.
func TestRealBootImages(t *testing.T) {
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		t.Skipf("%s is not set", testpayload.FolderVariable)
	}
	lookup := func(boot testpayload.BootImages) *ReleaseImage {
		t.Helper()
		real, err := testpayload.RealRelease(folder, boot)
		if err != nil {
			t.Fatal(err)
		}
		r, err := release(t, real)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	old, err := lookup(testpayload.SingleStream).StreamForName("")
	if err != nil {
		t.Fatal(err)
	}
	power := old.Architectures["ppc64le"].Images.PowerVS
	if power == nil || len(power.Regions) == 0 {
		t.Fatal("4.10 has no images of PowerVS")
	}
	for name, region := range power.Regions {
		if region.Release == "" || region.Object == "" || region.Bucket == "" || region.Url == "" {
			t.Errorf("PowerVS in %s: %+v", name, region)
		}
	}
	if k := old.Architectures["x86_64"].Images.KubeVirt; k == nil || k.DigestRef == "" {
		t.Error("4.10 has no image of KubeVirt by digest")
	}
	current := lookup(testpayload.MultiStream)
	seen := map[string]string{} // stream by image
	for name, want := range map[string]string{"rhel-9": "rhcos-4.21", "rhel-10": "rhcos-4.22"} {
		s, err := current.StreamForName(name)
		if err != nil || s.Stream != want {
			t.Fatalf("%s: %+v, %v", name, s, err)
		}
		if _, ok := s.Architectures["ppc64le"]; !ok {
			t.Errorf("%s has no ppc64le", name)
		}
		x86 := s.Architectures["x86_64"].Images
		for _, image := range []string{
			x86.Aws.Regions["us-east-1"].Image, s.Architectures["aarch64"].Images.Aws.Regions["us-east-1"].Image, x86.Gcp.Name, x86.KubeVirt.DigestRef,
		} {
			if other := seen[image]; image == "" || other != "" {
				t.Errorf("%s has image %q, which %q has too", name, image, other)
			}
			seen[image] = name
		}
	}
	standard, err := current.StreamForName("")
	if err != nil {
		t.Fatal(err)
	}
	if nine, err := current.StreamForName("rhel-9"); err != nil || !reflect.DeepEqual(standard, nine) {
		t.Errorf("the default stream is %s and not that of rhel-9; %v", standard.Stream, err)
	}
}

// The rows of HyperShift's releaseinfo_test.go for versions of components. Where it fails,
// for versions that are malformed or many, the adapter leaves out what is malformed and takes
// the first of many, as "oc adm release info" does: labels of one image stop no control plane.
func TestComponentVersions(t *testing.T) {
	for name, c := range map[string]struct {
		versions []string // of components
		want     map[string]string
	}{
		"one":                      {[]string{"rhel-coreos=98.20260101.0"}, map[string]string{"rhel-coreos": "98.20260101.0"}},
		"two of machine-os":        {[]string{"machine-os=1.0.0", "machine-os=2.0.0"}, map[string]string{"machine-os": "1.0.0"}},
		"two of another component": {[]string{"other-component=2.0.0", "other-component=1.0.0"}, map[string]string{"other-component": "1.0.0"}},
		"one is malformed":         {[]string{"component=not-a-semver", "component=1.0.0"}, map[string]string{"component": "1.0.0"}},
		"build metadata":           {[]string{"component=1.0.0+a.b"}, map[string]string{"component": "1.0.0"}},
		"none":                     {nil, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := payload
			r.Annotations = map[string]map[string]string{}
			for i, component := range r.ComponentNames() {
				r.Annotations[component] = map[string]string{"io.openshift.build.versions": ""}
				if i < len(c.versions) {
					r.Annotations[component]["io.openshift.build.versions"] = c.versions[i]
				}
			}
			image, err := release(t, r)
			if err != nil {
				t.Fatal(err)
			}
			c.want["release"] = r.Version
			if got, err := image.ComponentVersions(); err != nil || !maps.Equal(got, c.want) {
				t.Errorf("versions %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// The rows of HyperShift's registry_mirror_provider_test.go and
// registry_image_content_policies_test.go: what the release image itself is read at. After
// --registry-overrides nobody asks the source; mirrors of a policy come before it.
func TestWhereTheReleaseIsRead(t *testing.T) {
	source, mirror, base := start(t)
	image := testpayload.Must(payload.Image())
	digest := source.Push("ocp/release", "", image)
	for _, repository := range []string{"over/release", "mirror/release"} {
		mirror.Push(repository, "", image)
	}
	spec := source.ByDigest("ocp/release", digest).String()
	overrides := map[string]string{source.Host() + "/ocp": mirror.Host() + "/over"}
	policies := map[string][]string{source.Host() + "/ocp": {mirror.Host() + "/none", mirror.Host() + "/mirror"}}
	for name, c := range map[string]struct {
		overrides map[string]string
		mirrors   map[string][]string
		want      string
	}{
		"neither":                        {nil, nil, spec},
		"an override":                    {overrides, nil, mirror.ByDigest("over/release", digest).String()},
		"an override of another source":  {map[string]string{"registry.example.com/no-match": "m.io"}, nil, spec},
		"no overrides":                   {map[string]string{}, nil, spec},
		"a mirror":                       {nil, policies, mirror.ByDigest("mirror/release", digest).String()},
		"a mirror of another source":     {nil, map[string][]string{"no-match.example.com": {"m.io"}}, spec},
		"an override and no such mirror": {overrides, map[string][]string{"quay.io": {"m.io"}}, mirror.ByDigest("over/release", digest).String()},
	} {
		t.Run(name, func(t *testing.T) {
			asked := source.Count()
			r := adapter(t, base, c.overrides, c.mirrors)
			release, err := r.Lookup(t.Context(), spec, []byte(`{"auths":{}}`))
			if err != nil {
				t.Fatal(err)
			}
			if release.PulledFrom != c.want || r.GetMirroredReleaseImage() != "" {
				t.Errorf("read at %s, want %s; the provider says %q", release.PulledFrom, c.want, r.GetMirroredReleaseImage())
			}
			if n := source.Count() - asked; (n == 0) != (c.want != spec) {
				t.Errorf("%d requests to the source", n)
			}
		})
	}
	mirror.Fail(testregistry.Match{}, testregistry.Bare(500))
	asked := source.Count()
	_, err := adapter(t, base, overrides, nil).Lookup(t.Context(), spec, nil)
	if err == nil || !strings.Contains(err.Error(), mirror.Host()+"/over/release") || source.Count() != asked {
		t.Errorf("the target fails: %v, after %d requests to the source", err, source.Count()-asked)
	}
}

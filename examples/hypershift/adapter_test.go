package hypershift

import (
	"context"
	"errors"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

const component = "machine-config-operator"

// payload is a release whose component images are in quay.io.
var payload = testpayload.Release{Version: "4.17.3", Components: 5, Manifests: -1, Labels: map[string]string{"mine": "yes"}}

// start starts two registries of one authority, and a base that reads them.
func start(t testing.TB) (source, mirror *testregistry.Registry, base *registry.Provider) {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []**testregistry.Registry{&source, &mirror} {
		if *r, err = testregistry.Start(testregistry.Config{CA: ca}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*r).Close)
	}
	if base, err = registry.New(registry.Config{RootCAs: ca.Pool()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := base.Close(); err != nil {
			t.Error(err)
		}
	})
	return source, mirror, base
}

func adapter(t testing.TB, base *registry.Provider, overrides map[string]string, mirrors map[string][]string) *Registry {
	t.Helper()
	return open(t, base, overrides, sources.Static("test", handover.ImageOverridesPolicy("test", mirrors)))
}

// open opens an adapter for as long as the test runs.
func open(t testing.TB, base *registry.Provider, overrides map[string]string, srcs ...policy.OverrideSource) *Registry {
	t.Helper()
	r, err := New(t.Context(), base, overrides, srcs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// The rows of HyperShift's registryoverride_test.go, as far as they are image references,
// on the images of a release. Digests there are too short to be any.
func TestRegistryOverrides(t *testing.T) {
	_, mirror, base := start(t)
	digest := mirror.Push("ocp", "", testpayload.Must(payload.Image()))
	overlap := map[string]string{"quay.io": "broad.example.com", "quay.io/openshift-release-dev": "narrow.example.com/mirror"}
	const repository = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
	for name, c := range map[string]struct {
		overrides map[string]string
		want      string // the repository of the component
	}{
		"nil":                            {nil, repository},
		"empty":                          {map[string]string{}, repository},
		"no match":                       {map[string]string{"registry.redhat.io": "m.com"}, repository},
		"host":                           {map[string]string{"quay.io": "m.com"}, "m.com/openshift-release-dev/ocp-v4.0-art-dev"},
		"the start of a host":            {map[string]string{"quay": "m.com"}, repository},
		"the end of a host":              {map[string]string{"ay.io": "m.com"}, repository},
		"the start of a component":       {map[string]string{"quay.io/openshift": "m.com"}, repository},
		"the most specific of two":       {overlap, "narrow.example.com/mirror/ocp-v4.0-art-dev"},
		"empty key":                      {map[string]string{"": "m.com"}, repository},
		"whole repository":               {map[string]string{repository: "m.com/art"}, "m.com/art"},
		"a shorter name of a repository": {map[string]string{repository + "-extra": "m.com/art"}, repository},
		"another port":                   {map[string]string{"quay.io:5000": "m.com"}, repository},
	} {
		t.Run(name, func(t *testing.T) {
			before := maps.Clone(c.overrides)
			r := adapter(t, base, c.overrides, nil)
			release, err := r.GetReleaseProvider().Lookup(t.Context(), mirror.ByDigest("ocp", digest).String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want + "@" + payload.ComponentDigest(component)
			if got := release.ComponentImages()[component]; got != want {
				t.Errorf("the image to hand on is %s, want %s", got, want)
			}
			if got, want := release.CanonicalComponentImages()[component], repository+"@"+payload.ComponentDigest(component); got != want {
				t.Errorf("the canonical image is %s, want %s", got, want)
			}
			if !maps.Equal(c.overrides, before) || !maps.Equal(r.GetRegistryOverrides(), before) {
				t.Errorf("the overrides were %v, are %v, and it says %v", before, c.overrides, r.GetRegistryOverrides())
			}
		})
	}
}

// The rows of HyperShift's util_test.go for OPENSHIFT_IMG_OVERRIDES, through the adapter.
// HyperShift sorts the mirrors of a source; here their order is kept, since it is the order
// in which they are tried.
func TestImageOverrides(t *testing.T) {
	_, _, base := start(t)
	for value, want := range map[string]map[string][]string{
		"":                     nil,
		"=":                    nil,
		"a.io=b.io":            {"a.io": {"b.io"}},
		"a.io=b.io,,c.io=d.io": {"a.io": {"b.io"}, "c.io": {"d.io"}},
		"=,a.io=b.io":          {"a.io": {"b.io"}},
		"cp.icr.io/cp=c.io,cp.icr.io/cp=a.io,cp.icr.io/cp=b.io": {"cp.icr.io/cp": {"c.io", "a.io", "b.io"}},
	} {
		r := adapter(t, base, map[string]string{"quay.io": "m.com"}, handover.DecodeImageOverrides(value))
		got := r.GetReleaseProvider().GetOpenShiftImageRegistryOverrides()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
		if err := r.Reconcile(t.Context(), nil); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// A release has what HyperShift reads of one, comes from the mirror, and names no mirror.
func TestLookup(t *testing.T) {
	source, mirror, base := start(t)
	streams := payload
	streams.BootImages = testpayload.MultiStream
	digest := mirror.Push("deep/ocp", "", testpayload.Must(streams.Image()))
	r := adapter(t, base, nil, map[string][]string{source.Host() + "/ocp": {mirror.Host() + "/deep/ocp"}})
	spec := source.ByDigest("ocp/release", digest).String()
	mirror.Push("deep/ocp/release", "", testpayload.Must(streams.Image()))
	release, err := r.Lookup(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if release.Version() != "4.17.3" || release.Kind != "ImageStream" || len(release.Spec.Tags) != 5 {
		t.Errorf("the release is %s, %s with %d tags", release.Kind, release.Version(), len(release.Spec.Tags))
	}
	if want := mirror.ByDigest("deep/ocp/release", digest).String(); release.PulledFrom != want || r.GetMirroredReleaseImage() != "" {
		t.Errorf("it is from %s, want %s; the provider says %q", release.PulledFrom, want, r.GetMirroredReleaseImage())
	}
	versions, err := release.ComponentVersions()
	if err != nil || versions["release"] != "4.17.3" || versions["kubernetes"] != streams.ComponentVersions()["kubernetes"] {
		t.Errorf("versions %v, %v", versions, err)
	}
	for _, name := range []string{"", "rhel-9", "rhel-10"} {
		if s, err := release.StreamForName(name); err != nil || len(s.Architectures) == 0 {
			t.Errorf("stream %q: %v", name, err)
		}
	}
	if _, err := release.StreamForName("rhel-8"); err == nil || !strings.Contains(err.Error(), "available streams: [rhel-10 rhel-9]") {
		t.Errorf("a stream that is not there: %v", err)
	}
	// What the caller has is its own, and a second lookup asks nobody.
	release.Spec.Tags[0].From.Name = "changed"
	release.Spec.Tags[0].Annotations["changed"] = "yes"
	asked := mirror.Count()
	second, err := r.Lookup(t.Context(), spec, nil)
	if err != nil || second.Spec.Tags[0].From.Name == "changed" || second.Spec.Tags[0].Annotations["changed"] != "" {
		t.Errorf("the second lookup: %+v, %v", second.Spec.Tags[0], err)
	}
	if n := mirror.Count() - asked; n != 0 {
		t.Errorf("the second lookup made %d requests", n)
	}
	if n := source.Main().Stats().Connections; n != 0 {
		t.Errorf("%d connections to the source, which nobody needed", n)
	}
}

// A release before 5.0 has one stream, for every name.
func TestOneStream(t *testing.T) {
	_, mirror, base := start(t)
	spec := mirror.ByDigest("ocp", mirror.Push("ocp", "", testpayload.Must(payload.Image()))).String()
	release, err := adapter(t, base, nil, nil).Lookup(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "rhel-9"} {
		if s, err := release.StreamForName(name); err != nil || len(s.Architectures) == 0 {
			t.Errorf("stream %q: %v", name, err)
		}
	}
}

// What HyperShift asks of images, by tag and by digest, through a mirror.
func TestMetadata(t *testing.T) {
	source, mirror, base := start(t)
	image := testpayload.Must(payload.Image())
	digest := mirror.Push("ocp", "4.17", image)
	m := adapter(t, base, nil, map[string][]string{source.Host(): {mirror.Host()}}).GetMetadataProvider()
	tagged := source.ByTag("ocp", "4.17").String()

	got, ref, err := m.GetDigest(t.Context(), tagged, nil)
	if err != nil || got != digest || ref.Registry() != source.Host() || ref.Digest() != digest {
		t.Errorf("the digest is %s of %v, %v; want %s at the source", got, ref, err, digest)
	}
	asked := mirror.Count()
	byDigest := source.ByDigest("ocp", digest).String()
	if got, _, err := m.GetDigest(t.Context(), byDigest, nil); err != nil || got != digest || mirror.Count() != asked {
		t.Errorf("the digest of %s is %s, %v, after %d requests; want none", byDigest, got, err, mirror.Count()-asked)
	}
	config, err := m.ImageMetadata(t.Context(), tagged, nil)
	if err != nil || config.Architecture != "amd64" || config.Config.Labels["mine"] != "yes" {
		t.Errorf("the config is %+v, %v", config, err)
	}
	if ref, err := m.GetOverride(t.Context(), byDigest, nil); err != nil || ref.String() != mirror.ByDigest("ocp", digest).String() {
		t.Errorf("it is read at %v, %v", ref, err)
	}
	asked = mirror.Count()
	described, layers, store, err := m.GetMetadata(t.Context(), tagged, nil)
	if err != nil || !reflect.DeepEqual(described, config) {
		t.Fatalf("it is described as %+v, %v", described, err)
	}
	if n := mirror.Count() - asked; n != 2 {
		t.Errorf("%d requests, want 2: the manifest and the config", n)
	}
	top := image.Top()
	if last := layers[len(layers)-1]; len(layers) != len(image.Layers()) || last.Digest != testpayload.Digest(top.Bytes()) {
		t.Errorf("the layers are %+v", layers)
	}
	layer, err := store.Open(t.Context(), layers[len(layers)-1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer layer.Close()
	if data, err := io.ReadAll(layer); err != nil || string(data) != string(top.Bytes()) {
		t.Errorf("the layer has %d bytes, %v; want %d", len(data), err, len(top.Bytes()))
	}
	if _, err := store.Open(t.Context(), digest); err == nil {
		t.Error("a blob that is no layer opens")
	}
}

// The platforms of an index take one request, and no image of it is fetched.
func TestIndexIsOneRequest(t *testing.T) {
	_, mirror, base := start(t)
	arm := payload
	arm.Platform = provider.Platform{OS: "linux", Architecture: "arm64"}
	index := testpayload.Index(false, testpayload.Must(payload.Image()), testpayload.Must(arm.Image()))
	digest := mirror.Push("ocp", "", index)
	manifest, err := adapter(t, base, nil, nil).GetMetadataProvider().GetManifest(t.Context(), mirror.ByDigest("ocp", digest).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range manifest.References() {
		platforms = append(platforms, d.Platform.OS+"/"+d.Platform.Architecture)
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("platforms %s", got)
	}
	mediaType, body, err := manifest.Payload()
	if err != nil || testpayload.Digest(body) != digest || !strings.Contains(mediaType, "index") {
		t.Errorf("the payload is of %s, %v", mediaType, err)
	}
	if n := mirror.Count(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	m := open(t, base, nil).GetMetadataProvider()
	config, _, _, err := m.GetMetadata(t.Context(), mirror.ByDigest("ocp", digest).String(), nil)
	if n := mirror.Count() - 1; err != nil || config.Architecture != (provider.Platform{}).OrDefault().Architecture || n != 3 {
		t.Errorf("the config is %+v, %v, after %d requests; want the program's own after 3", config, err, n)
	}
}

// Errors have the words that HyperShift looks for, and no secret.
func TestErrors(t *testing.T) {
	_, mirror, base := start(t)
	r := adapter(t, base, nil, nil)
	m := r.GetMetadataProvider()
	tagged := mirror.ByTag("ocp", "none").String()
	secret := []byte(`{"auths":{"` + mirror.Host() + `":{"username":"u","password":"hush-hush"}}}`)
	both := func(what, image string, want error, words string) {
		t.Helper()
		_, lookup := r.Lookup(t.Context(), image, secret)
		_, _, digest := m.GetDigest(t.Context(), image, secret)
		for name, err := range map[string]error{"Lookup": lookup, "GetDigest": digest} {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s: %s: %v; want %q", what, name, err, words)
			}
		}
	}
	// The registry itself says nothing, so the words are the library's.
	found := mirror.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Bare(404))
	both("not there", tagged, provider.ErrNotFound, "manifest unknown")
	found()
	mirror.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Bare(403))
	both("not authorized", mirror.ByTag("ocp", "other").String(), provider.ErrUnauthorized, "access to the requested resource is not authorized")
	if _, err := r.Lookup(t.Context(), "no reference", nil); err == nil || !strings.Contains(err.Error(), `failed to parse image reference "no reference"`) {
		t.Errorf("what is no reference: %v", err)
	}
	if _, err := r.Lookup(t.Context(), tagged, []byte(`{"auths"`)); err == nil || !strings.Contains(err.Error(), "failed to parse docker credentials") {
		t.Errorf("what is no pull secret: %v", err)
	}
	if _, err := New(t.Context(), base, map[string]string{"quay.io": ""}); err == nil || !strings.Contains(err.Error(), "--registry-overrides#1") {
		t.Errorf("an override without a target: %v", err)
	}
}

// Until the policies have been read, nothing is looked up past them.
func TestPoliciesAreAway(t *testing.T) {
	_, mirror, base := start(t)
	r := open(t, base, nil, away{})
	if err := r.Reconcile(t.Context(), nil); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("Reconcile: %v", err)
	}
	if _, err := r.Lookup(t.Context(), mirror.ByTag("ocp", "x").String(), nil); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("Lookup: %v", err)
	}
	if got := r.GetOpenShiftImageRegistryOverrides(); got != nil || mirror.Count() != 0 {
		t.Errorf("mirrors %v, %d requests", got, mirror.Count())
	}
}

// away is a source that cannot be read.
type away struct{}

func (away) Name() string { return "away" }
func (away) Load(context.Context) (policy.Policy, error) {
	return policy.Policy{}, errors.New("the API server is away")
}

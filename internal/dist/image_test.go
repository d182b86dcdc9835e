package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const bundle = "-----BEGIN CERTIFICATE-----\nof the base\n-----END CERTIFICATE-----\n"

var amd64, arm64 = platform{"linux", "amd64"}, platform{"linux", "arm64"}

// baseImage returns an image such as a registry of Docker's has, with files by name.
func baseImage(t *testing.T, p platform, files map[string]string) v1.Image {
	t.Helper()
	var list []file
	for name, text := range files {
		list = append(list, file{name, 0o644, []byte(text)})
	}
	slices.SortFunc(list, func(a, b file) int { return strings.Compare(a.name, b.name) })
	data, err := tarGz(list, someTime)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: p.os, Architecture: p.arch, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{User: "root", Cmd: []string{"sh"}, Env: []string{"PATH=/usr/bin", "container=oci"}, Labels: map[string]string{"name": "ubi"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.Append(img, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: "whoever made the base"}}); err != nil {
		t.Fatal(err)
	}
	return img
}

// writeBase writes images to an OCI layout, each under a name, all below one index where that is "".
func writeBase(t *testing.T, images map[string][]v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for name, list := range images {
		index := v1.ImageIndex(empty.Index)
		for _, img := range list {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img})
		}
		var options []layout.Option
		if name != "" {
			options = append(options, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name}))
		}
		if err := to.AppendIndex(index, options...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func someIngredients(t *testing.T, base *base) *ingredients {
	t.Helper()
	g := &ingredients{
		platform: arm64, version: "v1.2.3", at: someTime, base: base, authorities: []byte(bundle),
		programs: map[string]binary{}, layers: map[string]v1.Layer{},
	}
	info := &buildinfo.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/tool"},
		Deps:     []*debug.Module{{Path: "example.com/library", Version: "v1.0.0"}},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}},
	}
	for _, name := range recipes[1].programs {
		g.programs[name] = binary{name, []byte("the program " + name), info}
		var err error
		if g.layers[name], err = g.layer(file{"usr/bin/" + name, 0o755, g.programs[name].content}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// valid writes an image and compares what is there with its digests.
func valid(t *testing.T, img v1.Image) {
	t.Helper()
	to, err := layout.Write(t.TempDir(), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	index, err := to.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
}

func TestImageOnNothing(t *testing.T) {
	img, err := someIngredients(t, nil).image(recipes[0])
	if err != nil {
		t.Fatal(err)
	}
	valid(t, img)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config
	if config.Architecture != "arm64" || c.User != user || !slices.Equal(c.Entrypoint, []string{"/usr/bin/hypershift-operator"}) || !config.Created.Equal(someTime) {
		t.Errorf("%+v", config)
	}
	if c.Labels["org.opencontainers.image.revision"] != "0123abc" || c.Labels["org.opencontainers.image.version"] != "v1.2.3" || c.Labels["org.opencontainers.image.base.digest"] != "" {
		t.Errorf("labels %v", c.Labels)
	}
	want := map[string]fs.FileMode{
		"tmp": fs.ModeDir | fs.ModeSticky | 0o777, "usr/bin": fs.ModeDir | 0o755, "etc/ssl/certs/ca-certificates.crt": 0o444,
		"usr/bin/hypershift-operator": 0o755, "usr/bin/mirrorchain": 0o755,
	}
	content := mutate.Extract(img)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		if mode, ok := want[name]; ok && h.FileInfo().Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, h.FileInfo().Mode(), mode)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the image lacks %v", want)
	}
}

// The layout is valid, and what older tools drop from an index is not in it.
func TestWriteImages(t *testing.T) {
	m := maker{out: t.TempDir(), version: "v1.2.3"}
	to, err := layout.Write(m.out, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	var made v1.IndexManifest
	if err := m.addImage(to, &made, recipes[0], someIngredients(t, nil)); err != nil {
		t.Fatal(err)
	}
	digest, err := writeIndex(to, "operator", made)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := to.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(whole); err != nil {
		t.Error(err)
	}
	index, err := whole.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	d := list.Manifests[0]
	if len(list.Manifests) != 1 || d.ArtifactType != "" || d.Platform.String() != "linux/arm64" || list.Annotations["org.opencontainers.image.title"] != "mirrorchain operator" {
		t.Errorf("%+v", list)
	}
	if bill, err := os.ReadFile(m.out + "/operator_1.2.3_linux_arm64.cdx.json"); err != nil || !bytes.Contains(bill, []byte(d.Digest.Hex)) {
		t.Errorf("SBOM: %v\n%s", err, bill)
	}
}

func TestImageOnBase(t *testing.T) {
	dir := writeBase(t, map[string][]v1.Image{"ubi": {
		baseImage(t, amd64, map[string]string{bundles[0]: "another one"}),
		baseImage(t, arm64, map[string]string{bundles[0]: bundle, "etc/os-release": "ID=rhel"}),
	}})
	b, err := openBase("oci:"+dir, arm64)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := b.authorities(); err != nil || string(data) != bundle {
		t.Errorf("authorities %q, %v", data, err)
	}
	img, err := someIngredients(t, b).image(recipes[1])
	if err != nil {
		t.Fatal(err)
	}
	valid(t, img)
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	below, err := b.image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if below.MediaType != types.DockerManifestSchema2 {
		t.Errorf("the base is %s, and was to be Docker's", below.MediaType)
	}
	if manifest.MediaType != types.OCIManifestSchema1 || manifest.Config.MediaType != types.OCIConfigJSON || manifest.Layers[0].Digest != below.Layers[0].Digest {
		t.Errorf("%+v", manifest)
	}
	for _, l := range manifest.Layers {
		if l.MediaType != types.OCILayer {
			t.Errorf("a layer is %s", l.MediaType)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if env := []string{"PATH=/usr/bin", "container=oci", "SSL_CERT_FILE=/usr/share/mirrorchain/ca-bundle.crt"}; !slices.Equal(config.Config.Env, env) {
		t.Errorf("variables %v", config.Config.Env)
	}
	if l := config.Config.Labels; l["name"] != "" || l["org.opencontainers.image.base.digest"] != b.digest || l["io.openshift.hypershift.restricted-psa"] != "true" {
		t.Errorf("labels %v", l)
	}
	if config.Config.User != user || config.Config.Cmd != nil || config.History[0].CreatedBy != "whoever made the base" || len(config.History) != len(manifest.Layers) {
		t.Errorf("%+v", config)
	}
}

func TestOpenBase(t *testing.T) {
	files := map[string]string{bundles[1]: bundle}
	both := writeBase(t, map[string][]v1.Image{
		"one": {baseImage(t, amd64, files)}, "two": {baseImage(t, amd64, map[string]string{"other": "x"}), baseImage(t, arm64, files)},
	})
	if _, err := openBase("oci:"+both+":one", amd64); err != nil {
		t.Error(err)
	}
	if _, err := openBase("oci:"+both, arm64); err != nil {
		t.Error(err)
	}
	// As "crane pull --format=oci" writes it: without an index between.
	flat := t.TempDir()
	to, err := layout.Write(flat, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.AppendImage(baseImage(t, amd64, files)); err != nil {
		t.Fatal(err)
	}
	if _, err := openBase("oci:"+flat, amd64); err != nil {
		t.Error(err)
	}

	damaged := writeBase(t, map[string][]v1.Image{"": {baseImage(t, amd64, files)}})
	blobs, err := filepath.Glob(damaged + "/blobs/sha256/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range blobs {
		if data, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // the layer
			data[len(data)-1] ^= 1
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for spec, want := range map[string]string{
		both:                     "want oci:FOLDER",
		"oci:":                   "want oci:FOLDER",
		"oci:" + t.TempDir():     "not an OCI image layout",
		"oci:" + both:            "2 images for linux/amd64: name one",
		"oci:" + both + ":three": "no image for linux/amd64: copy all platforms",
		"oci:" + damaged:         "is damaged",
	} {
		if _, err := openBase(spec, amd64); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", spec, err, want)
		}
	}
	none := writeBase(t, map[string][]v1.Image{"": {baseImage(t, amd64, map[string]string{bundles[0]: "nothing"})}})
	b, err := openBase("oci:"+none, amd64)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.authorities(); err == nil || !strings.Contains(err.Error(), "no public authorities") {
		t.Errorf("a base without authorities: %v", err)
	}
}

func TestImageSBOM(t *testing.T) {
	g := someIngredients(t, nil)
	image := container("operator", "v1.2.3", "sha256:"+strings.Repeat("1", 64), map[string][]string{"arch": {"arm64"}})
	text, err := imageSBOM(image, "sha256:"+strings.Repeat("2", 64), []binary{g.programs["mirrorchain"], g.programs["ignition-server"]}, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range b.Components {
		got = append(got, c.Type+" "+c.Name)
	}
	if want := []string{"container base", "application mirrorchain", "library std", "library example.com/library", "application ignition-server"}; !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	if b.Metadata.Component.PURL != "pkg:oci/operator@sha256%3A"+strings.Repeat("1", 64)+"?arch=arm64" || b.Components[1].PURL != "pkg:golang/example.com/tool@v1.2.3?type=module#cmd/mirrorchain" {
		t.Errorf("package URLs %s and %s", b.Metadata.Component.PURL, b.Components[1].PURL)
	}
	if d := b.Dependencies; len(d) != 3 || len(d[0].On) != 3 || len(d[1].On) != 2 || len(d[2].On) != 2 {
		t.Errorf("%+v", d)
	}
}

func TestImagesForLinux(t *testing.T) {
	m := maker{out: t.TempDir(), platforms: []platform{{"darwin", "arm64"}}, base: "oci:x"}
	if err := m.images(t.Context()); err == nil || !strings.Contains(err.Error(), "darwin/arm64: images are made for linux alone") {
		t.Errorf("error %v", err)
	}
}

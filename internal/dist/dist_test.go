package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

var (
	someFiles = []file{{"mirrorchain", 0o755, []byte("binary")}, {"man/man1/mirrorchain.1", 0o644, []byte("page")}}
	someTime  = time.Date(2026, 11, 30, 3, 1, 10, 0, time.UTC)
)

func TestTarGz(t *testing.T) {
	data, err := tarGz(someFiles, someTime)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := tarGz(someFiles, someTime.In(time.FixedZone("elsewhere", 3600))); err != nil || !bytes.Equal(data, second) {
		t.Errorf("other bytes in another time zone, error %v", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for _, want := range someFiles {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != want.name || h.Mode != int64(want.mode) || !h.ModTime.Equal(someTime) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			t.Errorf("%+v", h)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want.data) {
			t.Errorf("%s: %q, %v", want.name, got, err)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last file: %v", err)
	}
}

func TestZip(t *testing.T) {
	data, err := zipped(someFiles, someTime)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := zipped(someFiles, someTime.In(time.FixedZone("elsewhere", 3600))); err != nil || !bytes.Equal(data, second) {
		t.Errorf("other bytes in another time zone, error %v", err)
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != len(someFiles) {
		t.Fatalf("%d files", len(r.File))
	}
	for i, want := range someFiles {
		f := r.File[i]
		if f.Name != want.name || f.Mode().Perm() != want.mode || !f.Modified.Equal(someTime) {
			t.Errorf("%+v", f.FileHeader)
		}
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(content); err != nil || !bytes.Equal(got, want.data) {
			t.Errorf("%s: %q, %v", want.name, got, err)
		}
	}
}

func TestSBOM(t *testing.T) {
	info := &buildinfo.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/tool", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "github.com/BurntSushi/toml", Version: "v1.6.0", Sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v2.0.0+incompatible"}},
		},
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}},
	}
	text, err := sbom(binary{content: []byte("binary"), info: info}, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if c := b.Metadata.Component; c.PURL != "pkg:golang/example.com/tool@v1.2.3?type=module" || c.Hashes[0].Content != fmt.Sprintf("%x", sha256.Sum256([]byte("binary"))) {
		t.Errorf("%+v", c)
	}
	var got []string
	for _, c := range b.Components {
		got = append(got, c.PURL)
	}
	want := "pkg:golang/std@1.26.8?type=module pkg:golang/github.com/BurntSushi/toml@v1.6.0?type=module pkg:golang/example.com/new@v2.0.0%2Bincompatible?type=module"
	if strings.Join(got, " ") != want || len(b.Dependencies[0].On) != 3 {
		t.Errorf("%v\ndepends on %v", got, b.Dependencies)
	}
	if sum := b.Components[1].Hashes[0].Content; sum != "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" {
		t.Errorf("hash %s", sum)
	}
	info.Deps[0].Sum = "h1:!"
	if _, err := sbom(binary{info: info}, "v1.2.3"); err == nil || !strings.Contains(err.Error(), "toml") {
		t.Errorf("a broken hash: %v", err)
	}
}

func TestKrewManifest(t *testing.T) {
	archives := []published{{platform{"linux", "amd64"}, "a.tar.gz", sha256.Sum256(nil)}, {platform{"windows", "amd64"}, "b.zip", sha256.Sum256(nil)}}
	var m struct {
		Metadata struct{ Name string }
		Spec     struct {
			Version, ShortDescription string
			Platforms                 []struct {
				Selector         struct{ MatchLabels map[string]string }
				URI, SHA256, Bin string
			}
		}
	}
	if err := yaml.UnmarshalStrict(krewManifest("v1.2.3", "https://example.com/v1.2.3", archives), &struct {
		APIVersion, Kind string
		Metadata, Spec   any
	}{}); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(krewManifest("v1.2.3", "https://example.com/v1.2.3", archives), &m); err != nil {
		t.Fatal(err)
	}
	if m.Metadata.Name != "mirrorchain" || m.Spec.Version != "v1.2.3" || len(m.Spec.ShortDescription) > 50 || len(m.Spec.Platforms) != 2 {
		t.Errorf("%+v", m)
	}
	p := m.Spec.Platforms[1]
	if p.URI != "https://example.com/v1.2.3/b.zip" || p.Bin != "mirrorchain.exe" || p.Selector.MatchLabels["os"] != "windows" || len(p.SHA256) != 64 {
		t.Errorf("%+v", p)
	}
	for version, want := range map[string]bool{"v1.2.3": true, "v1.2.3-rc.1": true, "dev": false, "417c19f": false, "v1.2": false} {
		if releaseVersion.MatchString(version) != want {
			t.Errorf("%s is a release: %v", version, !want)
		}
	}
}

func TestTimeOf(t *testing.T) {
	info := &buildinfo.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-11-30T03:01:10Z"}}}
	for epoch, want := range map[string]time.Time{"": someTime, "0": time.Unix(0, 0)} {
		if got, err := timeOf(info, epoch); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", epoch, got, err)
		}
	}
	if _, err := timeOf(info, "now"); err == nil {
		t.Error("an epoch that is no number is taken")
	}
	if got, err := timeOf(&buildinfo.BuildInfo{}, ""); err != nil || got.Year() != 1980 {
		t.Errorf("no commit: %v, %v", got, err)
	}
}

func TestPlatforms(t *testing.T) {
	if got, err := parsePlatforms(allPlatforms); err != nil || len(got) != 5 || got[4].binary() != "mirrorchain.exe" {
		t.Errorf("%v, %v", got, err)
	}
	for _, wrong := range []string{"", "linux", "linux/", "linux/amd64,"} {
		if _, err := parsePlatforms(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// What is there is not mixed with what is made.
func TestFolderInUse(t *testing.T) {
	m := maker{out: t.TempDir()}
	if err := os.WriteFile(filepath.Join(m.out, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.run(context.Background()); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("error %v", err)
	}
}

package deploy_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// architectures are those that images are built for.
var architectures = []string{"amd64", "arm64"}

// images is what internal/dist wrote, as "make images" calls it.
type images struct {
	folder string
	base   map[string]string // the files of the base
}

// builtImages builds the images on a base that has authorities where UBI has them.
var builtImages = sync.OnceValues(func() (images, error) {
	ca, err := testregistry.NewCA()
	if err != nil {
		return images{}, err
	}
	made := images{filepath.Join(workDir, "images"), map[string]string{ubi.file: string(ca.PEM()), "/etc/os-release": "ID=rhel\n"}}
	base := filepath.Join(workDir, "ubi")
	if err := writeBase(base, made.base); err != nil {
		return images{}, err
	}
	return made, makeImages(made.folder)
})

// makeImages runs internal/dist with the base that builtImages made.
func makeImages(to string) error {
	cmd := exec.Command("go", "run", "./internal/dist", "-images", "-version", "v1.2.3", "-base", "oci:"+filepath.Join(workDir, "ubi"), "-out", to)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

func writeBase(dir string, files map[string]string) error {
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o644, Size: int64(len(content))}); err != nil {
			return err
		}
		if _, err := io.WriteString(w, content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text.Bytes())), nil })
	if err != nil {
		return err
	}
	index := v1.ImageIndex(empty.Index)
	for _, arch := range architectures {
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}})
		if err != nil {
			return err
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img})
	}
	to, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	return to.AppendIndex(index)
}

// image returns one of the images for an architecture.
func (i images) image(t *testing.T, name, arch string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(filepath.Join(i.folder, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range manifest.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] != name {
			continue
		}
		below, err := index.ImageIndex(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		list, err := below.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list.Manifests {
			if d.Platform != nil && d.Platform.OS == "linux" && d.Platform.Architecture == arch {
				img, err := below.Image(d.Digest)
				if err != nil {
					t.Fatal(err)
				}
				return img
			}
		}
	}
	t.Fatalf("there is no image %s for %s", name, arch)
	return nil
}

// The images are the same when they are built again, and what the Containerfile says.
func TestImages(t *testing.T) {
	made, err := builtImages()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("again", func(t *testing.T) {
		second := filepath.Join(t.TempDir(), "images")
		if err := makeImages(second); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "diff", "-r", made.folder, second).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for _, s := range readContainerfile(t) {
		if len(s.instructions) == 0 || s.name == "build" {
			continue
		}
		for _, arch := range architectures {
			t.Run(s.name+" "+arch, func(t *testing.T) {
				img := made.image(t, s.name, arch)
				config, err := img.ConfigFile()
				if err != nil {
					t.Fatal(err)
				}
				for _, problem := range differences(s, config) {
					t.Error(problem)
				}
				programs := binaries(t, img, arch)
				entry := config.Config.Entrypoint[0]
				if !slices.Contains(programs, entry) || s.name == "control-plane" && len(programs) != 4 || s.name == "operator" && !slices.Contains(programs, "/usr/bin/mirrorchain") {
					t.Errorf("it has %v and starts %s", programs, entry)
				}
				bill, err := os.ReadFile(filepath.Join(made.folder, s.name+"_1.2.3_linux_"+arch+".cdx.json"))
				if err != nil {
					t.Fatal(err)
				}
				digest, err := img.Digest()
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range append(programs, digest.Hex) {
					if !bytes.Contains(bill, []byte(filepath.Base(want))) {
						t.Errorf("the SBOM does not name %s", want)
					}
				}
			})
		}
	}
}

// label is one of a LABEL, and capability begins the names of those of HyperShift.
var label = regexp.MustCompile(`([^\s=]+)="([^"]*)"`)

const capability = "io.openshift.hypershift."

// differences compares the configuration of an image with a stage of the Containerfile.
func differences(s stage, config *v1.ConfigFile) (all []string) {
	c := config.Config
	differs := func(what, have, want string) {
		if have != want {
			all = append(all, fmt.Sprintf("%s is %q, and in the Containerfile %q", what, have, want))
		}
	}
	capabilities := 0
	for _, in := range s.instructions {
		switch in[0] {
		case "USER":
			differs("the user", c.User, in[1])
		case "ENTRYPOINT":
			differs("the entrypoint", fmt.Sprintf("%q", c.Entrypoint), in[1])
		case "ENV":
			if !slices.Contains(c.Env, in[1]) {
				differs("the environment", strings.Join(c.Env, " "), in[1])
			}
		case "LABEL":
			for _, m := range label.FindAllStringSubmatch(in[1], -1) {
				differs("the label "+m[1], c.Labels[m[1]], strings.ReplaceAll(m[2], "${VERSION}", "v1.2.3"))
				if strings.HasPrefix(m[1], capability) {
					capabilities++
				}
			}
		}
	}
	for name := range c.Labels {
		if strings.HasPrefix(name, capability) {
			capabilities--
		}
	}
	if capabilities != 0 {
		all = append(all, "the image and the Containerfile claim different capabilities")
	}
	return all
}

// binaries returns the programs of an image, which are for the architecture and need no loader and no
// library.
func binaries(t *testing.T, img v1.Image, arch string) (names []string) {
	t.Helper()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	content := mutate.Extract(img)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(h.Name, "usr/bin/") || h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		dynamic := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC })
		if h.Mode != 0o755 || f.Machine != machines[arch] || dynamic {
			t.Errorf("%s has mode %o, is for %v, and dynamically linked: %v", h.Name, h.Mode, f.Machine, dynamic)
		}
		names = append(names, "/"+h.Name)
	}
}

// The programs run in their images as any container runtime runs them, as the images' user.
func TestInImages(t *testing.T) {
	made, err := builtImages()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("operator", func(t *testing.T) {
		c := newContainer(t, made.image(t, "operator", runtime.GOARCH))
		out, err := c.command(t, "/usr/bin/mirrorchain", "demo").CombinedOutput()
		if err != nil {
			t.Errorf("demo: %v\n%s", err, out)
		}
		if rest, err := os.ReadDir(filepath.Join(c.Root, "tmp")); err != nil || len(rest) > 0 {
			t.Errorf("demo leaves %v in /tmp, %v", rest, err)
		}
		c.ReadOnly = true
		if out, err := c.command(t, "/usr/bin/mirrorchain", "demo").CombinedOutput(); err == nil || !strings.Contains(string(out), "read-only file system") {
			t.Errorf("demo without a place to write: %v\n%s", err, out)
		}
	})
	t.Run("control-plane", func(t *testing.T) {
		c := newContainer(t, made.image(t, "control-plane", runtime.GOARCH))
		c.ReadOnly, c.NoCapabilities, c.NoNewPrivileges = true, true, true
		for _, program := range []string{"control-plane-operator", "hypershift-operator", "ignition-server", "mirrorchain"} {
			if out, err := c.command(t, "/usr/bin/"+program, "--help").CombinedOutput(); err != nil || !strings.Contains(string(out), program) {
				t.Errorf("%s --help: %v\n%s", program, err, out)
			}
		}
		// The copy of the base's authorities, where no pod mounts anything.
		if data, err := os.ReadFile(filepath.Join(c.Root, "usr/share/mirrorchain/ca-bundle.crt")); err != nil || string(data) != made.base[ubi.file] {
			t.Errorf("%v\n%s", err, data)
		}
	})
}

// explains asks the command in the operator's container what the cluster's policies do.
func explains(t *testing.T, c *container) {
	t.Helper()
	cmd := c.command(t, "/usr/bin/mirrorchain", "explain", "--source", "cluster:", releaseSource+":4.17.3")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "/mirror/release") {
		t.Errorf("mirrorchain explain in the operator's container: %v\n%s", err, out)
	}
}

// A site that mirrors what the image set names has every image of ours that the manifests name.
func TestImageSet(t *testing.T) {
	text, err := os.ReadFile(deploy.Folder(t, "imageset-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		metav1.TypeMeta `json:",inline"`
		Mirror          struct {
			AdditionalImages []struct {
				Name string `json:"name"`
			} `json:"additionalImages"`
		} `json:"mirror"`
	}
	if err := yaml.UnmarshalStrict(text, &set); err != nil {
		t.Fatal(err)
	}
	if set.APIVersion != "mirror.openshift.io/v2alpha1" || set.Kind != "ImageSetConfiguration" {
		t.Errorf("%+v", set.TypeMeta)
	}
	// Repositories without the registry: what oc-mirror keeps.
	repository := func(image string) string {
		ref, err := imageref.Parse(image)
		if err != nil {
			t.Fatal(err)
		}
		return ref.Repository()
	}
	var mirrored []string
	for _, image := range set.Mirror.AdditionalImages {
		mirrored = append(mirrored, repository(image.Name))
	}
	slices.Sort(mirrored)
	used := map[string]bool{}
	for _, folder := range []string{"operator", "everything"} {
		c := template(t, deploy.Build(t, folder)).Spec.Containers[0]
		used[repository(c.Image)] = true
	}
	// What overlays and components name beside that.
	named := regexp.MustCompile(`[a-z0-9.-]+(?::[0-9]+)?/mirrorchain/(?:operator|control-plane)\b`)
	err = filepath.WalkDir(deploy.Folder(t, ""), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" || filepath.Base(path) == "imageset-config.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, image := range named.FindAllString(string(text), -1) {
			used[repository(image)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(maps.Keys(used)); !slices.Equal(mirrored, want) {
		t.Errorf("the image set has %v, and the manifests name %v", mirrored, want)
	}
	for _, s := range readContainerfile(t) {
		if len(s.instructions) > 0 && s.name != "build" && !slices.ContainsFunc(mirrored, func(m string) bool { return strings.HasSuffix(m, "/"+s.name) }) {
			t.Errorf("the image set lacks %s", s.name)
		}
	}
}

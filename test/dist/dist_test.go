package dist

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/xeipuuv/gojsonschema"
)

const version = "v1.2.3"

// own is the platform of this machine.
var own = runtime.GOOS + "/" + runtime.GOARCH

// dist runs internal/dist as make does.
func dist(t *testing.T, args ...string) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "dist")
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "./internal/dist", "-version", version, "-out", folder}, args...)...)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return folder
}

// Two builds give the same bytes, the sums are right, and others can use what was built.
func TestArchives(t *testing.T) {
	platforms := "-platforms=" + own + ",windows/amd64"
	folder := dist(t, platforms)
	if out, err := exec.CommandContext(t.Context(), "diff", "-r", folder, dist(t, platforms)).CombinedOutput(); err != nil {
		t.Errorf("a second build differs: %v\n%s", err, out)
	}
	sums(t, folder, 5)
	bills(t, folder, 2)
	name := fmt.Sprintf("mirrorchain_%s_%s_%s.tar.gz", version[1:], runtime.GOOS, runtime.GOARCH)
	t.Run("krew", func(t *testing.T) { krew(t, filepath.Join(folder, "krew.yaml"), filepath.Join(folder, name)) })
	t.Run("bare", func(t *testing.T) { bare(t, filepath.Join(folder, name)) })
}

func TestImages(t *testing.T) {
	folder := dist(t, "-images", "-platforms=linux/"+runtime.GOARCH)
	sums(t, folder, 2)
	bills(t, folder, 1)
}

// sums compares SHA256SUMS with the files beside it, of which there are n.
func sums(t *testing.T, folder string, n int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != n {
		t.Errorf("want the sums of %d files\n%s", n, text)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != sum {
			t.Errorf("%s has the sum %s, and SHA256SUMS says %s", name, got, sum)
		}
	}
}

// bills checks the n SBOMs of a folder against the schema of CycloneDX 1.6.
func bills(t *testing.T, folder string, n int) {
	t.Helper()
	schema := schema(t)
	found, err := filepath.Glob(filepath.Join(folder, "*.cdx.json"))
	if err != nil || len(found) != n {
		t.Errorf("there are %d SBOMs, want %d: %v", len(found), n, err)
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		for _, problem := range invalid(t, schema, text) {
			t.Errorf("%s: %s", name, problem)
		}
		// The library knows what the fields are called. What it does not know is lost on the way back.
		var bom cyclonedx.BOM
		if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		refs := map[string]bool{bom.Metadata.Component.BOMRef: true}
		for _, c := range *bom.Components {
			if refs[c.BOMRef] {
				t.Errorf("%s: two components are %s", name, c.BOMRef)
			}
			refs[c.BOMRef] = true
		}
		for _, d := range *bom.Dependencies {
			for _, ref := range append([]string{d.Ref}, *d.Dependencies...) {
				if !refs[ref] {
					t.Errorf("%s: %s depends on %s, which is no component", name, d.Ref, ref)
				}
			}
		}
	}
	// It finds something.
	if len(invalid(t, schema, []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"module","name":"x"}]}`))) == 0 {
		t.Error("the schema takes a type of component that there is not")
	}
}

// schema compiles the schema, which is in the module of the library.
func schema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) gojsonschema.JSONLoader {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "schema", name))
		if err != nil {
			t.Fatal(err)
		}
		return gojsonschema.NewBytesLoader(text)
	}
	l := gojsonschema.NewSchemaLoader()
	if err := l.AddSchemas(read("spdx.schema.json"), read("jsf-0.82.schemax.json")); err != nil {
		t.Fatal(err)
	}
	s, err := l.Compile(read("bom-1.6.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func invalid(t *testing.T, s *gojsonschema.Schema, text []byte) (problems []string) {
	t.Helper()
	result, err := s.Validate(gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Errors() {
		problems = append(problems, e.String())
	}
	return problems
}

// krew installs the archive by its manifest, and the plugin runs.
func krew(t *testing.T, manifest, archive string) {
	root := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "krew", "install", "--manifest="+manifest, "--archive="+archive)
	cmd.Env = append(os.Environ(), "KREW_ROOT="+root)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(root, "bin", "kubectl-mirrorchain"), "version", "-o", "json").Output()
	var v struct{ Version string }
	if err == nil {
		err = json.Unmarshal(out, &v)
	}
	if err != nil || v.Version != version {
		t.Errorf("%v\n%s", err, out)
	}
}

// bare starts the program where there is nothing else: no loader, no library, no /etc, no /proc.
func bare(t *testing.T, archive string) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root can change the root folder; on Linux the program needs nothing else")
	}
	root := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", archive, "-C", root, "mirrorchain").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{"version"}, {"--help"}, {"resolve", "quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64"}} {
		cmd := exec.CommandContext(t.Context(), "/mirrorchain", args...)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("mirrorchain %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
)

// stage is one FROM of a Containerfile with what follows it.
type stage struct {
	base, name   string
	instructions [][2]string // name, rest
}

// readContainerfile knows as much of the format as deploy/Containerfile uses.
func readContainerfile(t *testing.T) []stage {
	t.Helper()
	text, err := os.ReadFile(deploy.Folder(t, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var stages []stage
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		if name == "FROM" {
			f := strings.Fields(strings.TrimPrefix(rest, "--platform=$BUILDPLATFORM "))
			if len(f) != 3 || f[1] != "AS" {
				t.Fatalf("%s: want FROM IMAGE AS NAME", line)
			}
			stages = append(stages, stage{base: f[0], name: f[2]})
			continue
		}
		if !slices.Contains([]string{"ARG", "WORKDIR", "LABEL", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT"}, name) || rest == "" || strings.HasSuffix(line, `\`) {
			t.Fatalf("%s: not an instruction that this test knows", line)
		}
		last := &stages[len(stages)-1]
		last.instructions = append(last.instructions, [2]string{name, rest})
	}
	return stages
}

// There is no container engine where tests run. What a build would stumble on first is
// checked: paths that are not there, stages that are not named, a compiler too old. What comes of it is
// compared with what "make images" makes, in TestImages.
func TestContainerfile(t *testing.T) {
	root := filepath.Dir(deploy.Folder(t, ""))
	programs, err := filepath.Glob(filepath.Join(root, "cmd", "*", "main.go"))
	if err != nil || len(programs) == 0 {
		t.Fatal("no programs found")
	}
	binaries := map[string]bool{}
	for _, p := range programs {
		binaries["/usr/bin/"+filepath.Base(filepath.Dir(p))] = true
	}
	stages := readContainerfile(t)
	copied := map[string]map[string]bool{} // by stage: what it has
	for i, s := range stages {
		copied[s.name] = map[string]bool{}
		isStage := func(name string) bool {
			return slices.ContainsFunc(stages[:i], func(s stage) bool { return s.name == name })
		}
		var user, entry string
		for _, in := range s.instructions {
			switch in[0] {
			case "COPY":
				f := strings.Fields(in[1])
				from, built := strings.CutPrefix(f[0], "--from=")
				if built {
					f = f[1:]
					if !isStage(from) {
						t.Errorf("%s copies from %s, which is no stage before it", s.name, from)
					}
				}
				to := f[len(f)-1]
				for _, src := range f[:len(f)-1] {
					switch {
					case !built:
						if _, err := os.Stat(filepath.Join(root, src)); err != nil {
							t.Errorf("%s: %v", s.name, err)
						}
					case src == "/out/":
						for p := range binaries {
							copied[s.name][p] = true
						}
					case strings.HasPrefix(src, "/out/"):
						copied[s.name][to+filepath.Base(src)] = true
						if !binaries["/usr/bin/"+filepath.Base(src)] {
							t.Errorf("%s copies %s, and there is no cmd/%s", s.name, src, filepath.Base(src))
						}
					}
				}
			case "USER":
				user = in[1]
			case "ENTRYPOINT":
				entry = strings.Trim(in[1], `[]"`)
			}
		}
		if s.base != "scratch" && !isStage(s.base) && !regexp.MustCompile(`:[0-9][0-9a-z.-]+$`).MatchString(s.base) {
			t.Errorf("%s stands on %s; want an exact tag", s.name, s.base)
		}
		if len(s.instructions) == 0 || s.name == "build" {
			continue
		}
		if uid, _, _ := strings.Cut(user, ":"); !isNumber(uid) || uid == "0" {
			t.Errorf("%s runs as %q; want a number other than 0", s.name, user)
		}
		if !copied[s.name][entry] {
			t.Errorf("%s starts %s, which it does not have", s.name, entry)
		}
	}
	if command := template(t, deploy.Build(t, "operator")).Spec.Containers[0].Command[0]; !copied["operator"][command] {
		t.Errorf("the Deployment starts %s, which is not in the image", command)
	}
	for p := range binaries {
		if !copied["control-plane"][p] {
			t.Errorf("the image of control planes lacks %s", p)
		}
	}

	for _, dir := range sourceFolders(t, root) {
		want := [2]string{"COPY", dir + "/ " + dir + "/"}
		if dir == "." {
			want[1] = "*.go ./"
		}
		if !slices.Contains(stages[0].instructions, want) {
			t.Errorf("the programs need the folder %s, and the build has no instruction %q", dir, strings.Join(want[:], " "))
		}
	}
	for _, page := range []string{"docs/images.md", "docs/operators.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, base := range regexp.MustCompile(`docker://(\S+/ubi-minimal:\S+)`).FindAllStringSubmatch(string(text), -1) {
			if !slices.ContainsFunc(stages, func(s stage) bool { return s.base == base[1] }) {
				t.Errorf("%s has %s, which is not the base here", page, base[1])
			}
		}
	}
	compiler := minor(t, stages[0].base, `golang:1\.([0-9]+)\.[0-9]+$`)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if want := minor(t, string(mod), `(?m)^go 1\.([0-9]+)`); compiler < want {
		t.Errorf("the compiler is Go 1.%d, and go.mod wants 1.%d", compiler, want)
	}
}

// sourceFolders returns the folders at the root of the module that hold packages of the
// programs, "." for the root itself.
func sourceFolders(t *testing.T, root string) []string {
	t.Helper()
	const module = "github.com/mirrorchain/mirrorchain"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	var folders []string
	for _, path := range strings.Fields(string(out)) {
		rest, ok := strings.CutPrefix(path, module)
		if !ok {
			continue
		}
		folder := "."
		if rest != "" {
			folder = strings.Split(rest, "/")[1]
		}
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

func minor(t *testing.T, text, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q does not match %s", text, pattern)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

package servers_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/servers"
)

// module makes a checkout with one small module, and makes it the working
// directory. It returns the folder that servers are kept in.
func module(t *testing.T, program string) (cache string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"test/small/go.mod":        "module example.com/small\n\ngo 1.26.0\n",
		"test/small/hello/main.go": "package main\n\n" + program,
		"test/small/ldflags":       "-X main.word=linked\n",
		"deep/in/it/README":        "",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(root, "deep", "in", "it"))
	t.Setenv(servers.EnvDir, "")
	return filepath.Join(root, ".cache", "servers")
}

const hello = `var word = "compiled"

func main() { print(word) }
`

func TestBuildOnce(t *testing.T) {
	module(t, hello)
	if _, err := servers.Find("small"); !errors.Is(err, servers.ErrNotBuilt) {
		t.Fatalf("got %v, want ErrNotBuilt", err)
	}

	var dirs [4]string
	var logs [4]bytes.Buffer
	var wg sync.WaitGroup
	for i := range dirs {
		wg.Go(func() {
			var err error
			if dirs[i], err = servers.Build(t.Context(), &logs[i], "small"); err != nil {
				t.Errorf("%v\n%s", err, &logs[i])
			}
		})
	}
	wg.Wait()
	builds := 0
	for i := range dirs {
		builds += strings.Count(logs[i].String(), "building")
		if dirs[i] != dirs[0] {
			t.Errorf("one builder says %s and another %s", dirs[0], dirs[i])
		}
	}
	if builds != 1 {
		t.Errorf("built %d times, want once", builds)
	}
	if found, err := servers.Find("small"); err != nil || found != dirs[0] {
		t.Errorf("found %q and %v, want %q", found, err, dirs[0])
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dirs[0], "hello")).CombinedOutput()
	if err != nil || string(out) != "linked" {
		t.Errorf("the program says %q and %v, want what the file ldflags has", out, err)
	}
}

func TestBuildAnewWhenSourcesChange(t *testing.T) {
	cache := module(t, hello)
	before, err := servers.Build(t.Context(), t.Output(), "small")
	if err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(cache, "..", "..", "test", "small", "hello", "main.go")
	if err := os.WriteFile(main, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := servers.Find("small"); !errors.Is(err, servers.ErrNotBuilt) {
		t.Errorf("got %v, want ErrNotBuilt", err)
	}
	after, err := servers.Build(t.Context(), t.Output(), "small")
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Error("the new build replaces the old one")
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		program string
		cancel  bool
	}{
		{name: "compiler error", program: "func main() { nonsense }\n"},
		{name: "interrupted", program: hello, cancel: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := module(t, c.program)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.cancel {
				cancel()
			}
			if dir, err := servers.Build(ctx, t.Output(), "small"); err == nil {
				t.Fatalf("built %s", dir)
			}
			entries, err := os.ReadDir(cache)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name() != "small.lock" {
					t.Errorf("%s is left", e.Name())
				}
			}
		})
	}
}

// A build that was killed leaves a folder; the next one does not take it for its own.
func TestBuildAfterKilledBuild(t *testing.T) {
	cache := module(t, hello)
	leftover := filepath.Join(cache, "small.unfinished", "half")
	if err := os.MkdirAll(filepath.Dir(leftover), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(leftover, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dir, err := servers.Build(t.Context(), t.Output(), "small")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a dead build left is in the result: %v", err)
	}
}

func TestFolderOfTheEnvironment(t *testing.T) {
	module(t, hello)
	elsewhere := t.TempDir()
	t.Setenv(servers.EnvDir, elsewhere)
	dir, err := servers.Build(t.Context(), t.Output(), "small")
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(dir) != elsewhere {
		t.Errorf("built into %s, want a folder in %s", dir, elsewhere)
	}
}

// Feature gates are rendered by the version of openshift/api that everything else has.
func TestRenderVersion(t *testing.T) {
	versions := map[string]bool{}
	for _, name := range []string{"../../../go.mod", "../../../test/render/go.mod"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(b), "github.com/openshift/api v")
		version, _, _ := strings.Cut(rest, "\n")
		version, _, _ = strings.Cut(version, " ")
		if !ok || version == "" {
			t.Errorf("%s requires no version", name)
		}
		versions[version] = true
	}
	if len(versions) != 1 {
		t.Errorf("the versions are %v", versions)
	}
}

// The real servers, where they are built, at least start.
func TestModules(t *testing.T) {
	for _, m := range servers.All() {
		dir, err := servers.Find(m)
		if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
			t.Skipf("%s: %v", m, err)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{servers.ControlPlane, "etcd", "--version"},
			{servers.ControlPlane, "kube-apiserver", "--version"},
			{servers.ControlPlane, "kubectl", "version", "--client"},
			{servers.Distribution, "registry", "--version"},
			{servers.MachineConfig, "machine-config-operator", "bootstrap", "--help"},
			{servers.MachineConfig, "machine-config-controller", "bootstrap", "--help"},
			{servers.MachineConfig, "machine-config-server", "bootstrap", "--help"},
			{servers.Render, "render", "--help"},
		} {
			if args[0] != m {
				continue
			}
			if out, err := exec.CommandContext(t.Context(), filepath.Join(dir, args[1]), args[2:]...).CombinedOutput(); err != nil {
				t.Errorf("%q: %v\n%s", args[1:], err, out)
			}
		}
	}
}

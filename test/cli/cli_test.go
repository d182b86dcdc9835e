// Package cli holds the scripts that pin what the command mirrorchain does: each
// command, its output, its errors and its exit codes. They run the real binary
// against real registries on the loopback interface.
package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// binDir holds the binary under test; set once, before any test runs.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mirrorchain-cli-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v0.0.0-test", "-o", filepath.Join(dir, "mirrorchain"), "../../cmd/mirrorchain")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the command: %v\n%s", err, out)
		return 1
	}
	binDir = dir
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			s := newSite(e.WorkDir)
			e.Values[siteKey{}] = s
			e.Defer(s.close)
			e.Setenv("PATH", binDir+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("NO_COLOR", "1")
			for _, name := range []string{
				"REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR",
				"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
			} {
				e.Setenv(name, "")
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "payload" { // data of real releases is there
				return os.Getenv(testpayload.FolderVariable) != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"expand":   expand,
			"handover": handOver,
			"json":     jsonCmd,
			"proxy":    proxyCmd,
			"layout":   layoutCmd,
			"plugin":   plugin,
			"registry": registryCmd,
			"sign":     signCmd,
		},
	})
}

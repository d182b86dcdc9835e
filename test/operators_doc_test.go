package test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// operatorsDoc returns the page with the operators' flags and variables.
func operatorsDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	flagRow = regexp.MustCompile("(?m)^\\| `--([a-z0-9-]+)` \\| (?:`([^`]*)` )?\\|")
	helpRow = regexp.MustCompile(`(?m)^ +(?:-[a-z], |    )--([a-z0-9-]+)(.*)$`)
	preset  = regexp.MustCompile(`\(default "?(.*?)"?\)$`)
	subcmd  = regexp.MustCompile(`(?m)^  ([a-z-]+) `)
)

// Each command of the operators is in the documentation with the flags and defaults
// that it has, and no others are.
func TestOperatorFlags(t *testing.T) {
	documented := map[string]map[string]string{}
	for _, part := range strings.Split(operatorsDoc(t), "\n### `")[1:] {
		name, table, _ := strings.Cut(part, "`\n")
		table, _, _ = strings.Cut(table, "\n#")
		flags := map[string]string{}
		for _, row := range flagRow.FindAllStringSubmatch(table, -1) {
			flags[row[1]] = row[2]
		}
		documented[name] = flags
	}
	bin := t.TempDir()
	programs := []string{"control-plane-operator", "hypershift-operator", "ignition-server"}
	for _, p := range programs {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../cmd/"+p).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	const alias = "control-plane-operator ignition-server" // documented as ignition-server
	actual := map[string]map[string]string{}
	for _, p := range programs {
		for _, name := range commands(t, bin, p) {
			actual[name] = flagsOf(t, bin, name)
		}
	}
	if !maps.Equal(actual[alias], actual["ignition-server"]) {
		t.Errorf("%s has flags %v, and ignition-server %v", alias, actual[alias], actual["ignition-server"])
	}
	delete(actual, alias)
	for name, flags := range actual {
		for flag, value := range flags {
			if got, ok := documented[name][flag]; !ok || got != value {
				t.Errorf("%s has --%s with the default %q, and docs/operators.md says %q (%t)", name, flag, value, got, ok)
			}
		}
	}
	for name, flags := range documented {
		for flag := range flags {
			if _, ok := actual[name][flag]; !ok {
				t.Errorf("docs/operators.md tells of --%s, which %s does not have", flag, name)
			}
		}
		if len(flags) == 0 {
			t.Errorf("docs/operators.md has no flags for %s", name)
		}
	}
}

// commands returns those that do something: the program itself, or its subcommands.
func commands(t *testing.T, bin, program string) (out []string) {
	t.Helper()
	_, list, ok := strings.Cut(help(t.Context(), t, bin, program), "Available Commands:\n")
	if !ok {
		return []string{program}
	}
	list, _, _ = strings.Cut(list, "\n\n")
	for _, m := range subcmd.FindAllStringSubmatch(list, -1) {
		if m[1] != "completion" && m[1] != "help" {
			out = append(out, program+" "+m[1])
		}
	}
	return out
}

func flagsOf(t *testing.T, bin, command string) map[string]string {
	t.Helper()
	flags := map[string]string{}
	for _, m := range helpRow.FindAllStringSubmatch(help(t.Context(), t, bin, command), -1) {
		if m[1] == "help" || m[1] == "version" {
			continue
		}
		flags[m[1]] = ""
		if d := preset.FindStringSubmatch(m[2]); d != nil {
			flags[m[1]] = d[1]
		}
	}
	return flags
}

func help(ctx context.Context, t *testing.T, bin, command string) string {
	t.Helper()
	f := strings.Fields(command)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, f[0]), append(f[1:], "--help")...)
	cmd.Env = []string{"HOME=" + bin} // no variable of ours: some are defaults
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v\n%s", command, err, out)
	}
	return string(out)
}

// The environment variables that the operators' code names are those that the
// documentation has.
func TestOperatorEnvironment(t *testing.T) {
	literal := regexp.MustCompile(`"([A-Z][A-Z0-9]*(?:_[A-Za-z0-9]+)+)"`)
	code := map[string]bool{}
	for _, root := range []string{"../cmd/hypershift-operator", "../cmd/control-plane-operator", "../cmd/ignition-server",
		"../cmd/internal/hostedcluster", "../cmd/internal/hostedcontrolplane", "../cmd/internal/ignition", "../cmd/internal/operator", "../sources/env", "../sources/handover"} {
		err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
				code[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, table, ok := strings.Cut(operatorsDoc(t), "## Environment\n")
	if !ok {
		t.Fatal("docs/operators.md has no section Environment")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	named := map[string]bool{}
	for row := range strings.Lines(table) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(row, "|"), "|"); ok {
			for _, m := range regexp.MustCompile("`([A-Z][A-Za-z0-9]*_[A-Za-z_0-9]+)`").FindAllStringSubmatch(first, -1) {
				named[m[1]] = true
			}
		}
	}
	for v := range code {
		if !named[v] {
			t.Errorf("the code has the variable %s, and docs/operators.md does not", v)
		}
	}
	for v := range named {
		if !code[v] {
			t.Errorf("docs/operators.md has the variable %s, and the code does not", v)
		}
	}
	if len(named) < 10 {
		t.Errorf("only %d variables are documented", len(named))
	}
}

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the runbooks have people type the program understands: each command with its
// flags, in blocks and in text.
func TestRunbookCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "runbooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "mirrorchain")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../cmd/mirrorchain").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)(?:^|`)mirrorchain ([a-z][^`\n|]*)").FindAllStringSubmatch(string(text), -1) {
		commands[m[1]] = true
	}
	if len(commands) < 3 {
		t.Errorf("the runbooks have the commands %v", commands)
	}
	for c := range commands {
		cmd := exec.CommandContext(t.Context(), bin, append(strings.Fields(c), "--help")...)
		cmd.Env = []string{"HOME=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		if name, _, _ := strings.Cut(c, " -"); err != nil || !strings.Contains(string(out), "mirrorchain "+strings.Split(name, " REF")[0]) {
			t.Errorf("mirrorchain %s: %v\n%s", c, err, out)
		}
	}
}

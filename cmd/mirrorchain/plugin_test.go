package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestInvoked(t *testing.T) {
	for file, want := range map[string]string{
		"/usr/bin/mirrorchain":               "mirrorchain|a",
		"mirrorchain-linux-amd64":            "mirrorchain|a",
		"/x/kubectl-mirrorchain":             "kubectl mirrorchain|a",
		"/x/oc-mirrorchain":                  "oc mirrorchain|a",
		"kubectl-mirrorchain.exe":            "kubectl mirrorchain|a",
		"/x/kubectl_complete-mirrorchain":    "kubectl mirrorchain|__complete|a",
		"/usr/local/oc_complete-mirrorchain": "oc mirrorchain|__complete|a",
	} {
		name, line := invoked(file, []string{"a"})
		if got := strings.Join(append([]string{name}, line...), "|"); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

// Whatever a plugin's help and its errors say can be typed as it stands.
func TestPluginNamesItselfAsTyped(t *testing.T) {
	root := (&app{err: &lockedWriter{w: io.Discard}}).root()
	root.InitDefaultHelpCmd()
	var lines [][]string
	names := []string{"COMMAND"}
	for cmds := []*cobra.Command{root}; len(cmds) > 0; cmds = cmds[1:] {
		words := strings.Fields(cmds[0].CommandPath())[1:]
		lines = append(lines, append(words, "--help"), append(slices.Clone(words), "--no-such-flag"), append(slices.Clone(words), "mirror"))
		for _, c := range cmds[0].Commands() {
			if c.IsAdditionalHelpTopicCommand() {
				lines = append(lines, []string{"help", c.Name()})
			} else {
				cmds = append(cmds, c)
				names = append(names, c.Name())
			}
		}
	}
	command := regexp.MustCompile(`(\S+ )?\bmirrorchain (` + strings.Join(names, "|") + `)\b`)
	for _, line := range lines {
		if line[0] == "demo" && line[len(line)-1] != "--help" {
			continue // it runs
		}
		var out bytes.Buffer
		Run(t.Context(), System{
			Name: "kubectl mirrorchain", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, UID: -1,
			LookupEnv: func(string) (string, bool) { return "", false },
		}, line)
		text := strings.Join(strings.Fields(out.String()), " ") // a line may end within a command
		for _, found := range command.FindAllString(text, -1) {
			if !strings.Contains(found, "kubectl mirrorchain ") {
				t.Errorf("%v says %q", line, found)
			}
		}
	}
}

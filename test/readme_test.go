package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A block is a fenced block of the README: ```lang name.
type block struct {
	lang, name, text string
}

var fence = regexp.MustCompile("(?ms)^```([a-z]+)(?: ([^\n]+))?\n(.*?)^```$")

func readme(t *testing.T) []block {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range fence.FindAllStringSubmatch(string(b), -1) {
		blocks = append(blocks, block{m[1], m[2], m[3]})
	}
	return blocks
}

// TestREADMECommands runs each console block of the README in a folder with the
// files that the README shows, and wants the output that it shows.
func TestREADMECommands(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/mirrorchain").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ran := 0
	for _, b := range readme(t) {
		switch b.lang {
		case "yaml", "toml":
			if b.name == "" {
				t.Errorf("a %s block has no file name; write ```%s NAME", b.lang, b.lang)
			}
			if err := os.WriteFile(filepath.Join(dir, b.name), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
		case "console":
			command, want, _ := strings.Cut(b.text, "\n")
			command, ok := strings.CutPrefix(command, "$ ")
			if !ok {
				t.Errorf("a console block starts with %q; want \"$ COMMAND\"", command)
				continue
			}
			cmd := exec.Command("sh", "-c", command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir)
			got, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v", command, err)
			}
			if string(got) != want {
				t.Errorf("%s\nprints\n%s\nand the README says\n%s", command, got, want)
			}
			ran++
		}
	}
	if ran == 0 {
		t.Error("the README shows no command")
	}
}

// TestREADMEMake checks that what the README has people type is a target.
func TestREADMEMake(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join("..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range readme(t) {
		if b.lang != "sh" {
			continue
		}
		for line := range strings.Lines(b.text) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "make" {
				ran++
				if !strings.Contains(string(makefile), "\n"+f[1]+":") {
					t.Errorf("the Makefile has no target %q", f[1])
				}
			}
		}
	}
	if ran < 2 {
		t.Errorf("the README shows %d make commands; want make demo and make test at least", ran)
	}
}

// TestREADMEProgram keeps the program in the README the one that is compiled and
// run as an example.
func TestREADMEProgram(t *testing.T) {
	for _, b := range readme(t) {
		if b.lang != "go" {
			continue
		}
		src, err := os.ReadFile(filepath.Join("..", b.name))
		if err != nil {
			t.Errorf("```go must be followed by the path of the example it shows: %v", err)
			continue
		}
		if !strings.Contains(string(src), b.text) {
			t.Errorf("the README's program is not in %s", b.name)
		}
		return
	}
	t.Error("the README shows no program")
}

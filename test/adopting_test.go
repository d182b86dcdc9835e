package test

import (
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// The adapter for HyperShift stays small, and docs/adopting.md says how small.
func TestSizeOfTheAdapter(t *testing.T) {
	const most = 250
	code := 0
	for _, name := range []string{"adapter.go", "metadata.go"} {
		data, err := os.ReadFile("../examples/hypershift/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				code++
			}
		}
	}
	text, err := os.ReadFile("../docs/adopting.md")
	if err != nil {
		t.Fatal(err)
	}
	if said := strconv.Itoa(code) + " here"; code >= most || !strings.Contains(string(text), said) {
		t.Errorf("the adapter has %d lines of code; want fewer than %d, and docs/adopting.md to say %q", code, most, said)
	}
}

// docs/adopting.md says what importing a package brings, and speaks of known issues alone.
func TestAdopting(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	text, known := read("adopting.md"), read("known-issues.md")
	ids := regexp.MustCompile(`\b(OCPBUGS-\d+|ISSUE-\d+|D\d+)\b`)
	listed := map[string]bool{}
	for _, id := range ids.FindAllString(known, -1) {
		listed[id] = true
	}
	for _, id := range ids.FindAllString(text, -1) {
		if !listed[id] {
			t.Errorf("docs/adopting.md names %s, which is not in docs/known-issues.md", id)
		}
	}

	if runtime.GOOS != "linux" {
		t.Skip("the table is for Linux")
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (\\d+) \\| (\\d+) \\|$").FindAllStringSubmatch(text, -1)
	if len(rows) < 10 {
		t.Fatalf("%d packages in the table of docs/adopting.md", len(rows))
	}
	said := map[string][]string{}
	var paths []string
	for _, row := range rows {
		said[row[1]] = row[2:]
		paths = append(paths, "./"+strings.TrimPrefix(row[1], "mirrorchain"))
	}
	for _, p := range list(t, paths...) {
		name, ours, others := p.rel(), 1, 0 // itself
		if name == "." {
			name = "mirrorchain"
		}
		for _, dep := range p.Deps {
			switch first, _, _ := strings.Cut(dep, "/"); {
			case under(dep, module):
				ours++
			case strings.Contains(first, "."):
				others++
			}
		}
		if got, want := said[name], []string{strconv.Itoa(ours), strconv.Itoa(others)}; len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("docs/adopting.md says %v of %s; it is | `%s` | %d | %d |", got, name, name, ours, others)
		}
	}
}

package scrape

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var row = regexp.MustCompile("(?m)^\\| `((?:mirrorchain|ign_server)_[a-z_]+(?:\\{[a-zA-Z,]+\\})?)` \\|")

// Documented returns the metrics in docs/operators.md with one of the prefixes, in the
// form of [Families.Names].
func Documented(t testing.TB, prefixes ...string) (out []string) {
	t.Helper()
	mod, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("finding the checkout: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimSpace(string(mod))), "docs", "operators.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(m[1], p) }) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return out
}

// Compare fails t unless f has exactly the metrics with the prefixes that
// docs/operators.md has.
func (f Families) Compare(t testing.TB, prefixes ...string) {
	t.Helper()
	have, documented := f.Names(prefixes...), Documented(t, prefixes...)
	for _, name := range have {
		if !slices.Contains(documented, name) {
			t.Errorf("%s is served, and docs/operators.md does not tell of it", name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(have, name) {
			t.Errorf("docs/operators.md tells of %s, which is not served", name)
		}
	}
	if len(have) == 0 {
		t.Errorf("there are no metrics %v", prefixes)
	}
}

package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy/lint"
)

// docs/policy-tools.md has a row for every kind of finding, to which SARIF links.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "policy-tools.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, k := range lint.Catalogue() {
		fmt.Fprintf(&rows, "| <a id=%q></a>`%s` | %s | %s | %s |\n", k.Code, k.Code, k.Severity, k.Effect, k.Fix)
	}
	if !strings.Contains(string(text), rows.String()) {
		t.Errorf("the table of findings has to be\n%s", rows.String())
	}
}

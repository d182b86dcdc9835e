package knownissues

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/named"
)

const (
	root  = "../../.."
	table = root + "/docs/known-issues.md"
)

// issues returns the ids that the document must have a row for.
func issues() []string {
	all := strings.Fields(`
		OCPBUGS-11939 PR-2437 OCPBUGS-29110 OCPBUGS-29466 OCPBUGS-29494 OCPBUGS-34734
		OCPBUGS-33951 OCPBUGS-54483 OCPBUGS-55693 OCPBUGS-57122 OCPBUGS-32257 OCPBUGS-33627 OCPBUGS-35549
		OCPBUGS-34540 OCPBUGS-41365 OCPBUGS-86415 OCPBUGS-48152 OCPBUGS-48117 OCPBUGS-53050 OCPBUGS-54720
		OCPBUGS-57141 OCPBUGS-57142 OCPBUGS-57143 OCPBUGS-53265 OCPBUGS-53259 OCPBUGS-57626 OCPBUGS-85065
		OCPBUGS-60185 OCPBUGS-65682 OCPBUGS-77365 OCPBUGS-77366 OCPBUGS-77367 OCPBUGS-77844 CNTRLPLANE-2842
		OCPBUGS-65879 OCPBUGS-83564 OCPBUGS-85585 OCPBUGS-92034 OCPBUGS-74247 PR-1924 OCPBUGS-42320
		OCPBUGS-44655 OCPBUGS-56492 OCPBUGS-57957 OCPBUGS-16221 OCPBUGS-18128 d86d9cf156
		OCPBUGS-29408 OCPBUGS-31398 OCPBUGS-31446 OCPBUGS-22399 CNV-38194
		ISSUE-6205 ISSUE-5608 ISSUE-5169 ISSUE-6551 ISSUE-7566 ISSUE-1843 ISSUE-1021 OCPSTRAT-3052 DOCS-DRIFT
		T1 T2 T3 T4`)
	for i := 1; i <= 55; i++ {
		if i != 45 { // there is none
			all = append(all, "D"+strconv.Itoa(i))
		}
	}
	return all
}

// row is one of the document's tables.
type row struct {
	line  int
	ids   []string
	here  string
	tests []string // "package.Test/subtest"
}

var quoted = regexp.MustCompile("`([^`]+)`")

func rows(t *testing.T) []row {
	t.Helper()
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for i, line := range strings.Split(string(data), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 2 || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[1]) == "id" {
			continue
		}
		if len(cells) != 6 {
			t.Errorf("line %d has %d cells, want 4", i+1, len(cells)-2)
			continue
		}
		r := row{line: i + 1, here: cells[3]}
		for id := range strings.SplitSeq(cells[1], ",") {
			r.ids = append(r.ids, strings.TrimSpace(id))
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[4], -1) {
			r.tests = append(r.tests, m[1])
		}
		all = append(all, r)
	}
	return all
}

// The document has a row for every issue, and no other; and a row has a test, or
// says why not.
func TestDocumentIsComplete(t *testing.T) {
	want, seen := issues(), map[string]int{}
	for _, r := range rows(t) {
		for _, id := range r.ids {
			if before := seen[id]; before != 0 {
				t.Errorf("line %d: %s has a row in line %d", r.line, id, before)
			}
			seen[id] = r.line
			if !slices.Contains(want, id) {
				t.Errorf("line %d: %q is none of the issues", r.line, id)
			}
		}
		excused := strings.Contains(r.here, "*outside the chain*: ") || strings.Contains(r.here, "*in progress*: ")
		if len(r.tests) == 0 && !excused {
			t.Errorf("line %d: no test, and no word why", r.line)
		}
	}
	for _, id := range want {
		if seen[id] == 0 {
			t.Errorf("%s has no row", id)
		}
	}
}

// Every test that the document names exists, and all tests of this package are named.
func TestDocumentNamesTests(t *testing.T) {
	source, covered := named.NewSource(root), map[string]bool{}
	for _, r := range rows(t) {
		for _, test := range r.tests {
			folder, function, _ := named.Split(test)
			covered[folder+"."+function] = true
			if err := source.Check(test); err != nil {
				t.Errorf("line %d: %v", r.line, err)
			}
		}
	}
	const here = "cmd/internal/knownissues"
	own, err := named.Parse(root, here)
	if err != nil {
		t.Fatal(err)
	}
	for name := range own.Functions {
		if !covered[here+"."+name] && !strings.HasPrefix(name, "TestDocument") {
			t.Errorf("%s is in no row", name)
		}
	}
}

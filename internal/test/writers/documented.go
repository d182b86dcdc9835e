package writers

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// Documented returns the versions that a table in a document has for each writer, webhooks among
// them: from the rows that begin "| writer |", and the column with that heading. A cell that
// is no number is left out: the operator has no object that the writer writes.
func Documented(t testing.TB, document, heading string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	versions, column := map[string]int{}, -1
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		switch {
		case cells[0] == "writer":
			for i, cell := range cells {
				if cell == heading {
					column = i
				}
			}
		case column >= 0 && column < len(cells):
			if n, err := strconv.Atoi(cells[column]); err == nil {
				versions[cells[0]] = n
			}
		case column >= 0:
			return versions
		}
	}
	t.Fatalf("%s has no table with a column %s", document, heading)
	return nil
}

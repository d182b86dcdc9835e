package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// go test reuses a result while the files that the tests looked at are the same.
// What `go list` and `go build` read is read by other processes, so this looks at
// every source file for them.
func TestResultDependsOnSources(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n := d.Name(); d.IsDir() && path != ".." && (strings.HasPrefix(n, ".") || n == "bin") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "go.mod") {
			seen++
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("no source file was looked at")
	}
}

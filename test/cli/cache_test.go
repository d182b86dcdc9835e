package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// go test reuses a result while the files that the tests looked at are the same.
// The binary's sources are read by another process, so this looks at them.
func TestResultDependsOnSources(t *testing.T) {
	seen := 0
	for _, dir := range []string{"cmd", "chain", "provider", "sources"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				seen++
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen == 0 {
		t.Error("no source file was looked at: they have moved")
	}
}

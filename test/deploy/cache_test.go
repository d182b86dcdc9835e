package deploy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// go test reuses a result while the files that the tests looked at are the same. What is built into
// programs and images, and the manifests, are read by other processes, so this looks at them.
func TestResultDependsOnSources(t *testing.T) {
	seen := 0
	for _, dir := range []string{"cmd", "chain", "deploy", "internal/dist", "policy", "provider", "sources"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil && (strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".yaml")) {
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

// Package sourcefiles makes the results of tests depend on files that other processes read for
// them.
package sourcefiles

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// LookAt looks at every file of the folders that ends in one of the endings: go test uses a
// result again while the files that its tests looked at are the same. Hidden folders below
// them are left out. It is an error if there is no such file.
func LookAt(t *testing.T, folders []string, endings ...string) {
	t.Helper()
	seen := 0
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
			case d.IsDir() && path != folder && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case slices.Contains(endings, filepath.Ext(path)):
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

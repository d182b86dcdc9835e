package outdir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/outdir"
)

// tree returns the files below dir with their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	write := func(overwrite bool, content ...string) ([]string, error) {
		return outdir.Write(dir, []outdir.File{{Name: "a", Data: []byte(content[0])}, {Name: "sub/b", Data: []byte(content[1])}}, overwrite)
	}
	status, err := write(false, "1", "2")
	if err != nil || !slices.Equal(status, []string{outdir.Written, outdir.Written}) {
		t.Fatal(status, err)
	}
	if status, err = write(false, "1", "2"); err != nil || !slices.Equal(status, []string{outdir.Unchanged, outdir.Unchanged}) {
		t.Fatal(status, err)
	}
	if _, err = write(false, "1", "3"); err == nil || !strings.Contains(err.Error(), "sub/b: is there with another content; --overwrite") {
		t.Fatal(err)
	}
	if status, err = write(true, "1", "3"); err != nil || !slices.Equal(status, []string{outdir.Unchanged, outdir.Replaced}) {
		t.Fatal(status, err)
	}
	if got := tree(t, dir); len(got) != 2 || got["a"] != "1" || got["sub/b"] != "3" {
		t.Errorf("got %q", got)
	}
}

// Nothing changes, and nothing is left over, if one of the files cannot be written.
func TestAllOrNone(t *testing.T) {
	for name, obstacle := range map[string]func(dir string) error{
		"a folder in its place": func(dir string) error { return os.Mkdir(filepath.Join(dir, "z"), 0o755) },
		"a file in the way":     func(dir string) error { return os.WriteFile(filepath.Join(dir, "sub"), nil, 0o600) },
		"a link out of the folder": func(dir string) error {
			return os.Symlink(t.TempDir(), filepath.Join(dir, "sub"))
		},
		"a link in its place": func(dir string) error { return os.Symlink("a", filepath.Join(dir, "z")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := obstacle(dir); err != nil {
				t.Fatal(err)
			}
			files := []outdir.File{{Name: "a", Data: []byte("new")}, {Name: "sub/b", Data: []byte("new")}, {Name: "z", Data: []byte("new")}}
			if status, err := outdir.Write(dir, files, true); err == nil {
				t.Fatalf("got %q", status)
			}
			data, err := os.ReadFile(filepath.Join(dir, "a"))
			if err != nil || string(data) != "old" {
				t.Errorf("a is %q, %v", data, err)
			}
			remaining, err := filepath.Glob(filepath.Join(dir, "*.new-*"))
			if err != nil || len(remaining) > 0 {
				t.Errorf("left over: %q, %v", remaining, err)
			}
		})
	}
}

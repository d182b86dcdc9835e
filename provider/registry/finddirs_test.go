package registry_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The user's certs.d comes first, and only where it is there.
func TestFindCertDirs(t *testing.T) {
	home := t.TempDir()
	for _, dir := range []string{".config/containers/certs.d", "xdg/containers/certs.d"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	system := registry.FindCertDirs(func(string) (string, bool) { return "", false }) // what this machine has
	for _, tc := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOME": home}, filepath.Join(home, ".config/containers/certs.d")},
		{map[string]string{"HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "xdg")}, filepath.Join(home, "xdg/containers/certs.d")},
		{map[string]string{"HOME": filepath.Join(home, "none")}, ""},
	} {
		got := registry.FindCertDirs(func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok })
		want := system
		if tc.want != "" {
			want = append([]string{tc.want}, system...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", tc.env, got, want)
		}
	}
}

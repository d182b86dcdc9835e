package layout_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/mirrorchain/mirrorchain/provider/layout"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testlayout"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// What lies beside the images can be read like a folder, of each format and of the folder
// around archives.
func TestFiles(t *testing.T) {
	const signature = "working-dir/signatures/4.17.3-sha256-00"
	dir := t.TempDir()
	put := func(name string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("signature"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	image := testlayout.Named{Name: "openshift/release-images:4.17.3-x86_64", Image: testpayload.Raw("application/vnd.oci.image.manifest.v1+json", []byte("{}"))}
	folder, archive, around := filepath.Join(dir, "folder"), filepath.Join(dir, "a.tar"), filepath.Join(dir, "around")
	put(filepath.Join(folder, signature))
	put(filepath.Join(around, signature))
	if err := errors.Join(testlayout.Storage(folder, image), testlayout.Tar(archive, folder, nil), testlayout.Archive(around, 1, nil, image)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{folder, archive, around} {
		s, err := layout.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		files := s.Files()
		if files[0].Path != name {
			t.Errorf("%s: the first is %s", name, files[0].Path)
		}
		if err := fstest.TestFS(files[0], signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, missing := range []string{"none", "working-dir/none", signature + "/below"} {
			if _, err := files[0].Open(missing); !errors.Is(err, fs.ErrNotExist) && missing != signature+"/below" || err == nil {
				t.Errorf("%s: %s: %v", name, missing, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A link out of the folder is not followed.
func TestFilesStayInside(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	image := testlayout.Named{Name: "a:b", Image: testpayload.Raw("application/vnd.oci.image.manifest.v1+json", []byte("{}"))}
	if err := errors.Join(testlayout.Storage(dir, image), os.WriteFile(secret, []byte("x"), 0o600), os.Symlink(secret, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	s, err := layout.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if data, err := fs.ReadFile(s.Files()[0], "link"); err == nil {
		t.Errorf("read %q", data)
	}
}

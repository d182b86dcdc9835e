package testpayload

import (
	"os"
	"path/filepath"
)

// FolderVariable names the environment variable that points at files of real
// releases, for tests that also run on those.
const FolderVariable = "MIRRORCHAIN_TEST_PAYLOAD"

// RealRelease returns a release made of the files of a real 4.10 nightly that lie in
// folder: its image-references with 146 components, and its boot images, or with
// MultiStream those of a 5.0 candidate.
func RealRelease(folder string, boot BootImages) (Release, error) {
	r := Release{
		Version:    "4.10.0-0.nightly-2021-11-14-184249",
		BootImages: boot,
		Files:      make(map[string][]byte),
	}
	var err error
	if r.Files[ImageReferencesFile], err = os.ReadFile(filepath.Join(folder, "4.10-image-references.json")); err != nil {
		return Release{}, err
	}
	switch boot {
	case SingleStream:
		r.Files[BootImagesFile], err = os.ReadFile(filepath.Join(folder, "4.10-installer-coreos-bootimages.yaml"))
	case MultiStream:
		r.Files[BootImagesFile], err = os.ReadFile(filepath.Join(folder, "5.0-installer-coreos-bootimages.yaml"))
	}
	if err != nil {
		return Release{}, err
	}
	return r, nil
}

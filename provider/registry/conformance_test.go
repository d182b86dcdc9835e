package registry_test

import (
	"os"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

func TestConformance(t *testing.T) {
	providertest.TestReleaseProvider(t, providertest.Harness{New: func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
		return open(t, reg)
	}})
}

func TestImageConformance(t *testing.T) {
	providertest.TestImageProvider(t, providertest.ImageHarness{New: func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider {
		return open(t, reg)
	}})
}

// Files of real releases, where they are at hand.
func TestRealRelease(t *testing.T) {
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		t.Skipf("%s is not set", testpayload.FolderVariable)
	}
	for _, boot := range []testpayload.BootImages{testpayload.SingleStream, testpayload.MultiStream} {
		real, err := testpayload.RealRelease(folder, boot)
		if err != nil {
			t.Fatal(err)
		}
		for _, docker := range []bool{false, true} {
			real.Docker = docker
			img := testpayload.Must(real.Image())
			for _, pushed := range []testpayload.Image{img, testpayload.Index(docker, img)} {
				reg := start(t, testregistry.Config{})
				r, err := open(t, reg).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", pushed))))
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for c := range r.Components() {
					if n++; c.Image.Digest() == "" {
						t.Errorf("%s is %s", c.Name, c.Image)
					}
				}
				if n != 146 || len(r.BootImages()) == 0 || r.ComponentVersions()["kubernetes"] == "" {
					t.Errorf("%d components, %d bytes of boot images, versions %v", n, len(r.BootImages()), r.ComponentVersions())
				}
			}
		}
	}
}

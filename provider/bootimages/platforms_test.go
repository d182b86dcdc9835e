package bootimages_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

func TestPlatforms(t *testing.T) {
	r := testpayload.Release{BootImages: testpayload.MultiStream}
	all := map[string]bootimages.Platform{}
	last := ""
	for _, p := range parse(t, r.BootImagesConfigMap()).Platforms() {
		key := p.Stream + "/" + p.Architecture + "/" + p.Name
		if key <= last || p.Release == "" {
			t.Errorf("%s after %s, release %q", key, last, p.Release)
		}
		last = key
		all[key] = p
	}
	if p := all["/x86_64/metal"]; len(p.Files) == 0 || len(p.Files[0].Sha256) != 64 || p.Files[0].Location == "" {
		t.Errorf("metal: %+v", p)
	}
	if p := all["/x86_64/aws"]; p.Regions["us-east-1"] == "" {
		t.Errorf("aws: %+v", p)
	}
	if p := all["rhel-10/x86_64/kubevirt"]; p.Container.String() != r.KubeVirtDigestRef("rhel-10") {
		t.Errorf("kubevirt: %+v", p)
	}
}

// Each platform of real releases has something to start from.
func TestPlatformsOfRealReleases(t *testing.T) {
	folder := os.Getenv(testpayload.FolderVariable)
	if folder == "" {
		t.Skipf("no data of real releases: %s is not set", testpayload.FolderVariable)
	}
	for _, name := range []string{"4.10-installer-coreos-bootimages.yaml", "5.0-installer-coreos-bootimages.yaml"} {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range parse(t, b).Platforms() {
			seen[p.Name] = true
			if p.Release == "" || len(p.Files)+len(p.Regions)+len(p.Image) == 0 && p.Container.IsZero() {
				t.Errorf("%s: %+v", name, p)
			}
		}
		for _, want := range []string{"aws", "gcp", "openstack", "powervs"} {
			if !seen[want] {
				t.Errorf("%s: no %s", name, want)
			}
		}
	}
}

package chain_test

import (
	"bytes"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Boot images of one stream and of several come byte for byte through a mirror,
// from a plain image, a Docker list and an OCI index, while the source is down.
func TestBootImagesThroughMirror(t *testing.T) {
	for name, boot := range map[string]testpayload.BootImages{"single": testpayload.SingleStream, "multi": testpayload.MultiStream} {
		for _, docker := range []bool{false, true} {
			release := testpayload.Release{Components: 5, Manifests: 5, BaseLayers: []int64{1000}, BootImages: boot, Docker: docker}
			img := testpayload.Must(release.Image())
			arm := release
			arm.Platform = provider.Platform{OS: "linux", Architecture: "arm64"}
			arm.Files = map[string][]byte{testpayload.BootImagesFile: []byte("not these\n")}
			for kind, pushed := range map[string]testpayload.Image{
				"plain": img, "index": testpayload.Index(docker, testpayload.Must(arm.Image()), img),
			} {
				if docker {
					kind = "docker " + kind
				}
				t.Run(name+" "+kind, func(t *testing.T) {
					s := newSite(t, pushed)
					s.source.Down()
					r, err := s.chain(t, s.rules).Lookup(t.Context(), s.request(s.digest))
					if err != nil {
						t.Fatal(err)
					}
					if want := release.BootImagesConfigMap(); !bytes.Equal(r.BootImages(), want) {
						t.Errorf("got\n%s\nwant\n%s", r.BootImages(), want)
					}
					if got, want := r.PulledFrom().Registry(), s.mirror.Host(); got != want {
						t.Errorf("pulled from %s, want %s", got, want)
					}
					if _, err := bootimages.Parse(r.BootImages()); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

package bootimages_test

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

func ExampleParse() {
	// What provider.Release.BootImages returns.
	configMap := testpayload.Release{BootImages: testpayload.MultiStream}.BootImagesConfigMap()

	b, err := bootimages.Parse(configMap)
	if err != nil {
		fmt.Println(err)
		return
	}
	for name, s := range b.Streams() {
		fmt.Println(name, s.Stream, s.Architectures["x86_64"].Artifacts["metal"].Release)
	}
	for _, k := range b.KubeVirtImages() {
		fmt.Println("mirror", k.Ref.Name(), "for", k.Architecture)
	}
	// Output:
	// rhel-10 rhcos-4.22 10.2.20241028-0
	// rhel-9 rhcos-4.21 9.8.20241028-0
	// mirror quay.io/openshift-release-dev/ocp-v4.0-art-dev for x86_64
	// mirror quay.io/openshift-release-dev/ocp-v4.0-art-dev for x86_64
}

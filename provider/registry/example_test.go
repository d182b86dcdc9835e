package registry_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func Example() {
	// A registry to ask, in place of quay.io.
	quay, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer quay.Close()
	quay.Push("openshift-release-dev/ocp-release", "4.17.3-x86_64", testpayload.Must(testpayload.Release{}.Image()))
	ref := quay.ByTag("openshift-release-dev/ocp-release", "4.17.3-x86_64")

	p, err := registry.New(registry.Config{RootCAs: quay.CA().Pool()})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	release, err := p.Lookup(context.Background(), provider.Request{Image: ref})
	if err != nil {
		log.Fatal(err)
	}
	etcd, _ := release.Component("etcd")
	fmt.Println(release.Version(), etcd.Image.Name(), quay.Count(), "requests")

	_, err = p.Lookup(context.Background(), provider.Request{Image: quay.ByTag("openshift-release-dev/ocp-release", "5.0")})
	fmt.Println(errors.Is(err, provider.ErrNotFound))
	// Output:
	// 4.17.3 quay.io/openshift-release-dev/ocp-v4.0-art-dev 2 requests
	// true
}

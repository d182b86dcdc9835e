package hypershift_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mirrorchain/mirrorchain/examples/hypershift"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// The adapter of a program that an operator deploys: mirrors are in its environment, and
// --registry-overrides is a flag. An operator opens "cluster:" by cluster.Factory in their
// place, which is followed. A program makes one adapter.
func Example() {
	base, err := registry.New(registry.Config{}) // its RootCAs and TLS are for mirrors of a private authority
	if err != nil {
		log.Fatal(err)
	}
	defer base.Close()
	environment := map[string]string{handover.ImageOverridesVariable: "quay.io/openshift-release-dev=mirror.example.com/ocp"}
	mirrors, err := env.Preferred(func(name string) (string, bool) { value, ok := environment[name]; return value, ok },
		handover.Variable, handover.ImageOverridesVariable) // the first that is there
	if err != nil {
		log.Fatal(err)
	}
	r, err := hypershift.New(context.Background(), base, map[string]string{"registry.redhat.io": "mirror.example.com/redhat"}, mirrors)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	releases := r.GetReleaseProvider()
	fmt.Println(releases.GetOpenShiftImageRegistryOverrides())
	fmt.Println(releases.GetRegistryOverrides())
	// Output:
	// map[quay.io/openshift-release-dev:[mirror.example.com/ocp]]
	// map[registry.redhat.io:mirror.example.com/redhat]
}

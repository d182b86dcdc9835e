package verifier_test

import (
	"context"
	"fmt"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/verifier"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// A lookup that is answered only by mirrors whose copy of the release nodes of OpenShift
// 4.21 would run.
func Example() {
	base, err := registry.New(registry.Config{})
	if err != nil {
		panic(err)
	}
	defer base.Close()
	builtIn, _ := sigstore.OpenShift(21)
	policies, err := sigstore.NewPolicies(builtIn)
	if err != nil {
		panic(err)
	}
	v, err := verifier.New(verifier.Config{Policies: policies, Content: base})
	if err != nil {
		panic(err)
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: "quay.io/openshift-release-dev", Mirrors: []policy.Mirror{{Location: "127.0.0.1:1/ocp"}}, NeverContactSource: true,
	}}})
	if err != nil {
		panic(err)
	}
	c, err := chain.New(base, func() *policy.Rules { return rules }, chain.Default(chain.DefaultConfig{
		Verify: chain.VerifyConfig{Current: func() provider.Verifier { return v }},
	})...)
	if err != nil {
		panic(err)
	}
	fmt.Println(c)
	_, err = c.Lookup(context.Background(), provider.Request{
		Image: imageref.MustParse("quay.io/openshift-release-dev/ocp-release@sha256:0000000000000000000000000000000000000000000000000000000000000000"),
	})
	fmt.Println(provider.ClassOf(err)) // nobody answers here
	// Output:
	// observe > translate > components > verify > cache > mirrors > store > registry
	// unreachable
}

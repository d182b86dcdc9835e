package policy_test

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Where an image may be pulled from, in order, and what policy forbids.
func ExampleNewRules() {
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{{
			Source:             "quay.io/openshift-release-dev",
			Mirrors:            []policy.Mirror{{Location: "mirror.example.com:8443/ocp"}},
			NeverContactSource: true,
			Origin:             "imagedigestmirrorset/idms-release-0#1",
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := rules.Resolve(imageref.MustParse("quay.io/openshift-release-dev/ocp-release@sha256:" +
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range res.Candidates {
		fmt.Println("try    ", c.Ref.Name(), "by", c.Origins)
	}
	for _, f := range res.Refused {
		fmt.Println("refused", f.Ref.Name(), "by", f.Origin)
	}
	// Output:
	// try     mirror.example.com:8443/ocp/ocp-release by [imagedigestmirrorset/idms-release-0#1]
	// refused quay.io/openshift-release-dev/ocp-release by imagedigestmirrorset/idms-release-0#1
}

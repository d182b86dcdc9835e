package handover_test

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// A document says what the merged rules are, and for people where each part comes
// from.
func Example() {
	mirrors := func(locations ...string) (out []policy.Mirror) {
		for _, l := range locations {
			out = append(out, policy.Mirror{Location: l})
		}
		return out
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{
			{
				Source: "quay.io/openshift-release-dev", Mirrors: mirrors("mirror.example.com/ocp", "backup.example.com/ocp"),
				Pull: policy.PullDigest, NeverContactSource: true, Origin: "imagedigestmirrorset/releases#1",
			},
			{
				Source: "quay.io/openshift-release-dev", Mirrors: mirrors("mirror.example.com/ocp"),
				Pull: policy.PullTag, Origin: "imagetagmirrorset/releases#1",
			},
			{
				Kind: policy.KindRewrite, Source: "registry.redhat.io", Mirrors: mirrors("cache.example.com/redhat"),
				Pull: policy.PullAny, Origin: "--registry-overrides#1",
			},
		},
		Insecure: []policy.Scope{{Name: "backup.example.com", Origin: "image/cluster"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := handover.Encode(rules)
	if err != nil {
		fmt.Println(err)
		return
	}
	var readable bytes.Buffer
	_ = json.Indent(&readable, document, "", " ")
	fmt.Println(readable.String())

	// In the process that it is handed to:
	loaded, err := handover.Decode("", document)
	if err != nil {
		fmt.Println(err)
		return
	}
	same, err := policy.NewRules(policy.RulesConfig{}, loaded)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(same.Version() == rules.Version())
	candidates, err := same.Candidates(imageref.MustParse("quay.io/openshift-release-dev/ocp-release:4.20.1-x86_64"))
	for _, c := range candidates {
		fmt.Println(c.Ref, c.Origins)
	}
	fmt.Println(err)

	// Output:
	// {
	//  "kind": "MirrorchainOverrides",
	//  "version": 1,
	//  "registries": [
	//   {
	//    "prefix": "backup.example.com",
	//    "insecure": true,
	//    "origins": [
	//     "image/cluster"
	//    ],
	//    "scope-only": true
	//   },
	//   {
	//    "prefix": "quay.io/openshift-release-dev",
	//    "blocked": true,
	//    "mirrors": [
	//     {
	//      "location": "mirror.example.com/ocp",
	//      "pull-from-mirror": "digest-only",
	//      "origins": [
	//       "imagedigestmirrorset/releases#1"
	//      ]
	//     },
	//     {
	//      "location": "backup.example.com/ocp",
	//      "insecure": true,
	//      "pull-from-mirror": "digest-only",
	//      "origins": [
	//       "imagedigestmirrorset/releases#1"
	//      ]
	//     },
	//     {
	//      "location": "mirror.example.com/ocp",
	//      "pull-from-mirror": "tag-only",
	//      "origins": [
	//       "imagetagmirrorset/releases#1"
	//      ]
	//     }
	//    ],
	//    "origins": [
	//     "imagedigestmirrorset/releases#1",
	//     "imagetagmirrorset/releases#1"
	//    ],
	//    "blocked-by": {
	//     "scope": "quay.io/openshift-release-dev",
	//     "origin": "imagedigestmirrorset/releases#1"
	//    }
	//   }
	//  ],
	//  "rewrites": [
	//   {
	//    "source": "registry.redhat.io",
	//    "target": "cache.example.com/redhat",
	//    "origin": "--registry-overrides#1"
	//   }
	//  ],
	//  "insecure-registries": [
	//   {
	//    "scope": "backup.example.com",
	//    "origin": "image/cluster"
	//   }
	//  ]
	// }
	// true
	// mirror.example.com/ocp/ocp-release:4.20.1-x86_64 [imagetagmirrorset/releases#1]
	// <nil>
}

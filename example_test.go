package mirrorchain_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mirrorchain/mirrorchain"
)

// Resolve says where an image may be pulled from and asks no registry. Release and Image
// ask these places in order.
func Example() {
	policies, err := os.MkdirTemp("", "policies")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(policies)
	const idms = `
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: releases}
spec:
  imageDigestMirrors:
  - source: quay.io/openshift-release-dev
    mirrors: [mirror.example.com/ocp]
`
	if err := os.WriteFile(filepath.Join(policies, "idms.yaml"), []byte(idms), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	client, err := mirrorchain.Open(context.Background(), mirrorchain.Config{Policies: []string{policies}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	resolution, err := client.Resolve("quay.io/openshift-release-dev/ocp-release@sha256:e96047c50caf0aaffeaf7ed0fe50bd3f574ad347cd0f588a56b876f79cc29d3e")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, candidate := range resolution.Candidates {
		fmt.Println(candidate.Ref.Name())
	}

	// Output:
	// mirror.example.com/ocp/ocp-release
	// quay.io/openshift-release-dev/ocp-release
}

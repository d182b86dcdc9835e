package cli

import (
	"encoding/json"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// nextRelease returns the release that comes after r, with other boot images:
//
//	etcd        changed, at another commit
//	cli         rebuilt of the same commit
//	hypershift  removed
//	newcomer    added
//
// All others are the same. They state Kubernetes 1.30.6.
func nextRelease(r testpayload.Release) testpayload.Release {
	digest := func(name string) string { return testpayload.Digest([]byte("next " + name)) }
	var stream map[string]any
	text := strings.ReplaceAll(string(r.ImageReferences()), "kubernetes=1.30.5", "kubernetes=1.30.6")
	for _, name := range []string{"etcd", "cli"} {
		text = strings.ReplaceAll(text, r.ComponentDigest(name), digest(name))
	}
	if err := json.Unmarshal([]byte(text), &stream); err != nil {
		panic(err)
	}
	stream["metadata"].(map[string]any)["name"] = "4.17.4"
	spec := stream["spec"].(map[string]any)
	tags := spec["tags"].([]any)
	var kept []any
	for _, tag := range tags {
		tag := tag.(map[string]any)
		annotations := tag["annotations"].(map[string]any)
		switch tag["name"] {
		case "hypershift":
			tag["name"] = "newcomer"
			tag["from"].(map[string]any)["name"] = "quay.io/openshift-release-dev/ocp-v4.0-art-dev@" + digest("newcomer")
		case "etcd":
			annotations["io.openshift.build.commit.id"] = strings.Repeat("0123456789", 4)
		}
		kept = append(kept, tag)
	}
	spec["tags"] = kept
	out, err := json.Marshal(stream)
	if err != nil {
		panic(err)
	}
	boot := r
	boot.Version = "4.17.4"
	r.Files = map[string][]byte{
		testpayload.ImageReferencesFile: out,
		testpayload.MetadataFile:        []byte(`{"kind":"cincinnati-metadata-v0","version":"4.17.4"}`),
		testpayload.BootImagesFile:      boot.BootImagesConfigMap(),
	}
	return r
}

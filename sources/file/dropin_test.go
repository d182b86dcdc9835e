package file_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Drop-ins beside API objects, as nodes have them: what they say replaces what was
// rendered of the objects.
func TestDropInsOverObjects(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	object := func(entry string) string {
		return "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: x}\nspec:\n  imageDigestMirrors:\n" + entry
	}
	for _, test := range []struct {
		name, object, dropIn, image string
		want                        []string
	}{
		{
			"other mirrors, and no NeverContactSource", object("  - source: registry.redhat.io/multicluster-engine\n    mirrors: [mirror-a.example.com/mce]\n    mirrorSourcePolicy: NeverContactSource\n"),
			"[[registry]]\n  prefix = \"\"\n  location = \"registry.redhat.io/multicluster-engine\"\n  mirror-by-digest-only = false\n\n  [[registry.mirror]]\n    location = \"mirror-b.example.com:5000/multicluster-engine\"\n",
			"registry.redhat.io/multicluster-engine/x" + digest,
			[]string{"mirror-b.example.com:5000/multicluster-engine/x" + digest, "registry.redhat.io/multicluster-engine/x" + digest},
		},
		{
			"blocked", object("  - source: docker.io\n    mirrors: [mirror.example.com/docker]\n"), "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n",
			"docker.io/library/alpine" + digest, nil,
		},
	} {
		dir := t.TempDir()
		objects := write(t, dir+"/idms.yaml", test.object)
		drop := write(t, dir+"/registries.conf.d/99-site.conf", test.dropIn)
		write(t, dir+"/both/registries.conf", "unqualified-search-registries = [\"quay.io\"]\n")
		write(t, dir+"/both/registries.conf.d/99-site.conf", test.dropIn)
		write(t, dir+"/both/idms.yaml", test.object)
		for name, policies := range map[string][]policy.Policy{
			"objects first":  {load(t, objects), load(t, dir+"/registries.conf.d")},
			"drop-ins first": {load(t, dir+"/registries.conf.d"), load(t, objects)},
			"in one folder":  {load(t, dir+"/both")},
		} {
			r, err := policy.NewRules(policy.RulesConfig{}, policies...)
			if err != nil {
				t.Fatalf("%s (%s), %s: %v", test.name, drop, name, err)
			}
			candidates, err := r.Candidates(imageref.MustParse(test.image))
			if err != nil || len(candidates) != len(test.want) {
				t.Errorf("%s, %s: %v, %v; want %v", test.name, name, candidates, err, test.want)
				continue
			}
			for i, c := range candidates {
				if c.Ref.String() != test.want[i] {
					t.Errorf("%s, %s: candidate %d is %s, want %s", test.name, name, i, c.Ref, test.want[i])
				}
			}
		}
	}
}

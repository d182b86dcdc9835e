package payload_test

import (
	"strings"
	"testing"
)

// What the hosted cluster blocks is handed to machine-config-controller as it is, but for
// scopes that the nodes' own release lies in and that leave no mirror of theirs.
func TestImageConfig(t *testing.T) {
	w := newWorld(t, options{})
	image := func(hosts ...string) string {
		return "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec:\n  additionalTrustedCA: {name: ca}\n  registrySources: {insecureRegistries: [plain.example.com], blockedRegistries: ['" +
			strings.Join(hosts, "', '") + "']}\n"
	}
	own := w.places.Source
	mirrored := "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: cluster}\n" +
		"spec: {imageDigestMirrors: [{source: '" + own + "', mirrors: [mirror.example.com/all]}]}\n"
	for name, c := range map[string]struct {
		image, config string
		blocks, opens []string
	}{
		"others":                        {image: image("evil.example.com"), blocks: []string{"evil.example.com"}},
		"its own registry":              {image: image("evil.example.com", own), blocks: []string{"evil.example.com", "plain.example.com", "name: ca"}, opens: []string{own}},
		"its own registry alone":        {image: image(own), blocks: []string{"plain.example.com"}, opens: []string{own}},
		"its own repository":            {image: image(own + "/" + releaseRepository), opens: []string{own}},
		"with a mirror":                 {image: image(own), config: mirrored, blocks: []string{own}},
		"with a mirror that is blocked": {image: image(own, "mirror.example.com"), config: mirrored, blocks: []string{"mirror.example.com"}, opens: []string{own}},
		"policies that nobody can read": {image: image(own), config: "kind: [", blocks: []string{own}},
		"no YAML":                       {image: "kind: [ " + own, blocks: []string{"kind: [ " + own}},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.in.MachineConfigServer["image-config.yaml"], w.in.Config = c.image, []byte(c.config)
			_, files := w.generate()
			got := files["image-config.yaml"]
			for _, want := range c.blocks {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in\n%s", want, got)
				}
			}
			for _, not := range c.opens {
				if strings.Contains(got, not) {
					t.Errorf("%s is blocked in\n%s", not, got)
				}
			}
			if len(c.opens) == 0 && got != c.image {
				t.Errorf("it was changed to\n%s", got)
			}
		})
	}
	w.clean()
}

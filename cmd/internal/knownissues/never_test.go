package knownissues

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// D7. mirrorSourcePolicy was never read. Here NeverContactSource holds in the chain
// of every binary, for digests, tags and both, for releases and images, while
// mirrors serve and while they fail in any way, and for rules that were handed on:
// the source is there, has the image, and is not dialled once.
func TestD7NeverContactSource(t *testing.T) {
	for name, breaks := range map[string]func(*testregistry.Registry){
		"serving":      func(*testregistry.Registry) {},
		"down":         func(r *testregistry.Registry) { r.Down() },
		"404":          func(r *testregistry.Registry) { r.Fail(manifests, testregistry.Status(404)) },
		"401":          func(r *testregistry.Registry) { r.Fail(manifests, testregistry.Status(401)) },
		"no layer":     func(r *testregistry.Registry) { r.Fail(blobs, testregistry.Status(404)) },
		"flipped":      func(r *testregistry.Registry) { r.Fail(blobs, testregistry.FlipByte(50)) },
		"cut off":      func(r *testregistry.Registry) { r.Fail(blobs, testregistry.CutOff(50)) },
		"to the other": func(r *testregistry.Registry) { r.Fail(blobs, testregistry.Redirect("https://quay.io/v2/")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			payload := testpayload.Must(release(5).Image())
			source := "quay.io/ocp/release"
			w.serve(t, "quay.io", testregistry.Auth{}).Push("ocp/release", "4.17.3", payload)
			mirror := w.serve(t, "mirror.example.com", testregistry.Auth{})
			digest := mirror.Push("ocp/release", "4.17.3", payload)
			breaks(mirror)

			rule := mirrored("quay.io", "mirror.example.com")
			rule.NeverContactSource = true
			tags := rule
			tags.Pull = policy.PullTag
			rules := newRules(t, rule, tags)
			bundle, err := handover.NewBundle(rules)
			if err != nil {
				t.Fatal(err)
			}
			handedOn, err := policy.NewRules(policy.RulesConfig{}, decode(t, bundle))
			if err != nil {
				t.Fatal(err)
			}
			for _, rules := range []*policy.Rules{rules, handedOn} {
				for _, image := range []string{source + "@" + digest, source + ":4.17.3", source + ":4.17.3@" + digest} {
					req := provider.Request{Image: imageref.MustParse(image)}
					for binary, c := range binaries(t, w.registry, rules) {
						_, err := c.Lookup(t.Context(), req)
						wantForbidden(t, fmt.Sprint(binary, ", ", image), name == "serving", err)
					}
					found, err := images(t, w.registry, rules).Image(t.Context(), req)
					if err == nil {
						_, err = found.Files(t.Context(), "release-manifests/image-references")
					}
					if err == nil && name != "serving" {
						t.Errorf("the image %s was read", image)
					}
				}
			}
			if n := w.dials("quay.io"); n != 0 {
				t.Errorf("%d connections to the source", n)
			}
		})
	}
}

func wantForbidden(t *testing.T, what string, served bool, err error) {
	t.Helper()
	if served && err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if !served && !errors.Is(err, provider.ErrForbidden) {
		t.Errorf("%s: %v; want that the source is forbidden", what, err)
	}
}

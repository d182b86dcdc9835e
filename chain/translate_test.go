package chain_test

import (
	"context"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const artDev = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"

func rewriting(source, target string) policy.Rule {
	return policy.Rule{Kind: policy.KindRewrite, Source: source, Pull: policy.PullAny,
		Mirrors: []policy.Mirror{{Location: target}}, Origin: "--registry-overrides"}
}

// content returns a base that always answers with one release.
func content(r *provider.Release) provider.ReleaseProvider {
	return provider.ReleaseFunc(func(_ context.Context, req provider.Request) (*provider.Release, error) {
		return r.WithAnswer(provider.Answer{Image: req.Image, PulledFrom: req.Image}), nil
	})
}

func component(t testing.TB, r *provider.Release, name string) provider.Component {
	t.Helper()
	c, ok := r.Component(name)
	if !ok {
		t.Fatalf("no component %s", name)
	}
	return c
}

func names(refs []imageref.Ref) []string {
	var s []string
	for _, r := range refs {
		s = append(s, r.Name())
	}
	return s
}

// What may be handed on follows Rewrite rules and never Mirror rules.
func TestTranslate(t *testing.T) {
	rules := newRules(t, mirrored(artDev, mirrorA, mirrorB), rewriting(artDev, "rewritten.example/art"))
	for _, live := range []bool{false, true} {
		c := newChain(t, content(release(t, 3)), rules, chain.Translate(chain.TranslateConfig{Live: live}))
		r := lookup(t, c, provider.Request{Image: image})
		got := component(t, r, "component-001")
		if got.Image.Name() != "rewritten.example/art" || got.Canonical.Name() != artDev || got.Image.Digest() != got.Canonical.Digest() {
			t.Errorf("live %v: image %s, canonical %s", live, got.Image, got.Canonical)
		}
		if live {
			wantList(t, "PullFrom", names(got.PullFrom), mirrorA, mirrorB, "rewritten.example/art")
		} else if got.PullFrom != nil {
			t.Errorf("PullFrom without Live: %v", got.PullFrom)
		}
		if r.Image() != image || r.Version() != "4.17.3" {
			t.Errorf("image %s, version %s", r.Image(), r.Version())
		}
	}
}

// Translated from the canonical reference each time, never from what an earlier
// version of the rules made of it.
func TestTranslateFollowsTheRules(t *testing.T) {
	one := newRules(t, rewriting(artDev, "one.example/art"), rewriting("one.example", "wrong.example"))
	two := newRules(t, rewriting(artDev, "two.example/art"))
	none := newRules(t)
	c := newChain(t, content(release(t, 3)), none, chain.Translate(chain.TranslateConfig{}), chain.Cache(chain.CacheConfig{}))
	for range 3 {
		for rules, want := range map[*policy.Rules]string{one: "one.example/art", two: "two.example/art", none: artDev} {
			r := lookup(t, c, provider.Request{Image: image, Rules: rules})
			if got := component(t, r, "component-002").Image.Name(); got != want {
				t.Errorf("%s: want %s", got, want)
			}
		}
	}
}

// Chains in chains translate once, not one after another.
func TestTranslateNested(t *testing.T) {
	rules := newRules(t, rewriting(artDev, "one.example/art"), rewriting("one.example", "wrong.example"))
	inner := newChain(t, content(release(t, 3)), rules, chain.Translate(chain.TranslateConfig{}))
	outer := newChain(t, inner, rules, chain.Translate(chain.TranslateConfig{Live: true}))
	if got := component(t, lookup(t, outer, provider.Request{Image: image}), "component-000"); got.Image.Name() != "one.example/art" {
		t.Errorf("translated twice: %s", got.Image)
	}
}

// One component that cannot be translated does not fail the others.
func TestTranslateBadComponent(t *testing.T) {
	base := release(t, 3).With(func(d *provider.ReleaseData) {
		ref := imageref.MustParse("broken.example:8443/x@" + digest)
		d.Components[1].Canonical, d.Components[1].Image = ref, ref
	})
	// broken.example becomes a mirror that no port can follow.
	rules := newRules(t, mirrored("broken.example", "m.example/broken"), mirrored(artDev, mirrorA))
	if _, err := rules.Candidates(imageref.MustParse("broken.example:8443/x@" + digest)); err == nil {
		t.Fatal("the rule is not broken; this test shows nothing")
	}
	c := newChain(t, content(base), rules, chain.Translate(chain.TranslateConfig{Live: true}))
	r := lookup(t, c, provider.Request{Image: image})
	if got := component(t, r, "component-001"); got.PullFrom != nil || got.Image != got.Canonical {
		t.Errorf("the broken one: image %s, PullFrom %v", got.Image, got.PullFrom)
	}
	wantList(t, "PullFrom of another", names(component(t, r, "component-002").PullFrom), mirrorA, artDev)
}

func TestComponents(t *testing.T) {
	images := map[string]imageref.Ref{
		"component-001": imageref.MustParse(artDev + "@" + digest),
		"added":         imageref.MustParse("added.example/x:1"),
		"nothing":       {},
	}
	rules := newRules(t, rewriting(artDev, "rewritten.example/art"))
	c := newChain(t, content(release(t, 3)), rules, chain.Translate(chain.TranslateConfig{}), chain.Components(chain.ComponentsConfig{Images: images}))
	clear(images) // it has a copy
	r := lookup(t, c, provider.Request{Image: image})
	got := component(t, r, "component-001")
	if got.Canonical.String() != artDev+"@"+digest || got.Image.String() != "rewritten.example/art@"+digest || len(got.Annotations) != 1 || got.Annotations[chain.AddedAnnotation] != "" {
		t.Errorf("replaced: %+v", got)
	}
	if got := component(t, r, "added"); got.Image.String() != "added.example/x:1" || got.Annotations[chain.AddedAnnotation] == "" {
		t.Errorf("added: %+v", got)
	}
	if got := component(t, r, "component-002"); got.Canonical.Digest() == digest {
		t.Errorf("not asked for: %+v", got)
	}
	var all []string
	for c := range r.Components() {
		all = append(all, c.Name)
	}
	wantList(t, "components", all, "added", "component-000", "component-001", "component-002")
	if !slices.IsSorted(all) {
		t.Error("not sorted")
	}
}

// Two chains with replacements of their own over the same remembered release.
func TestComponentsOfTwoChains(t *testing.T) {
	shared := newChain(t, content(release(t, 3)), newRules(t), chain.Cache(chain.CacheConfig{}))
	for range 2 {
		for _, want := range []string{"one.example/x", "two.example/x"} {
			c := newChain(t, shared, newRules(t), chain.Components(chain.ComponentsConfig{
				Images: map[string]imageref.Ref{"component-000": imageref.MustParse(want + "@" + digest)},
			}))
			if got := component(t, lookup(t, c, provider.Request{Image: image}), "component-000").Image.Name(); got != want {
				t.Errorf("%s; want %s", got, want)
			}
		}
	}
}

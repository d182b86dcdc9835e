package releasediff_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/releasediff"
)

// component returns one with an image in repo, of a commit; "" is none stated.
func component(name, repo, image, commit string) provider.Component {
	return provider.Component{
		Name: name, Canonical: imageref.MustParse("quay.io/" + repo + "@" + testpayload.Digest([]byte(image))),
		Annotations: map[string]string{"io.openshift.build.source-location": "https://github.com/openshift/" + name, "io.openshift.build.commit.id": commit},
	}
}

func release(t *testing.T, versions map[string]string, components ...provider.Component) *provider.Release {
	t.Helper()
	r, err := provider.NewRelease(provider.ReleaseData{Image: imageref.MustParse("quay.io/a/b:1"), Version: "1", Components: components, ComponentVersions: versions})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func changes(cs []releasediff.Change) string {
	var out []string
	for _, c := range cs {
		out = append(out, c.To.Name+" "+c.CompareURL())
	}
	return strings.Join(out, "; ")
}

func names(cs []provider.Component) string {
	var out []string
	for _, c := range cs {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

func TestCompare(t *testing.T) {
	const one, two = "1111111111", "2222222222"
	from := release(t, map[string]string{"kubernetes": "1.30.5", "gone": "1", "same": "1"},
		component("changed", "a", "v1", one), component("rebuilt", "a", "v1", one), component("moved", "a", "v1", one),
		component("gone", "a", "v1", one), component("unstated", "a", "v1", ""), component("equal", "a", "v1", one))
	to := release(t, map[string]string{"kubernetes": "1.31.1", "new": "2", "same": "1"},
		component("changed", "a", "v2", two), component("rebuilt", "a", "v2", one), component("moved", "b", "v1", one),
		component("new", "a", "v2", one), component("unstated", "a", "v2", ""), component("equal", "a", "v1", one))

	d := releasediff.Compare(from, to)
	for what, c := range map[string][2]string{
		"added":     {names(d.Added), "new"},
		"removed":   {names(d.Removed), "gone"},
		"changed":   {changes(d.Changed), "changed https://github.com/openshift/changed/compare/" + one + "..." + two + "; unstated "},
		"rebuilt":   {changes(d.Rebuilt), "rebuilt https://github.com/openshift/rebuilt/compare/" + one + "..." + one},
		"versions":  {fmt.Sprint(d.Versions), "[{gone 1 } {kubernetes 1.30.5 1.31.1} {new  2}]"},
		"unchanged": {fmt.Sprint(d.Unchanged), "2"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %s, want %s", what, c[0], c[1])
		}
	}
	if d := releasediff.Compare(from, from); d.Unchanged != 6 || len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Rebuilt)+len(d.Versions) != 0 {
		t.Errorf("of one release with itself: %+v", d)
	}
}

func parse(t *testing.T, r testpayload.Release) *bootimages.BootImages {
	t.Helper()
	b, err := bootimages.Parse(r.BootImagesConfigMap())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCompareBootImages(t *testing.T) {
	one, several := parse(t, testpayload.Release{}), parse(t, testpayload.Release{BootImages: testpayload.MultiStream})
	if got := releasediff.CompareBootImages(several, several); len(got) != 0 {
		t.Errorf("of one release with itself: %v", got)
	}
	if got := releasediff.CompareBootImages(nil, nil); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
	all := releasediff.CompareBootImages(nil, one)
	if len(all) != len(one.Platforms()) || all[0].From != "" || all[0].To == "" {
		t.Errorf("all of them are new: %v", all)
	}
	streams := map[string]int{}
	for _, b := range releasediff.CompareBootImages(one, several) {
		streams[b.Stream]++
		if b.Stream != "" && b.From != "" {
			t.Errorf("a stream that is new: %+v", b)
		}
	}
	if streams["rhel-10"] == 0 || streams["rhel-9"] == 0 {
		t.Errorf("platforms by stream: %v", streams)
	}
}

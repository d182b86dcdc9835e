package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// An image counts once, however many names it has and however it is written.
func TestEqualReferencesCountOnce(t *testing.T) {
	list := newImageList()
	amd, arm := provider.Platform{OS: "linux", Architecture: "amd64"}, provider.Platform{OS: "linux", Architecture: "arm64"}
	one := imageref.MustParse("docker.io/library/a@" + someDigest)
	list.add("cli", one, amd)
	list.add("cli", imageref.MustParse("a:1@"+someDigest), arm)
	list.add("cli-artifacts", one, provider.Platform{})
	list.add("etcd", imageref.MustParse("quay.io/a/b@"+someDigest), amd)
	if len(list.images) != 2 {
		t.Fatalf("%d images, want 2", len(list.images))
	}
	got := list.images[0]
	if !slices.Equal(got.names, []string{"cli", "cli-artifacts"}) || !slices.Equal(got.platforms, []provider.Platform{amd, arm}) {
		t.Errorf("%v for %v", got.names, got.platforms)
	}
	if !list.has("cli", one) || list.has("etcd", one) {
		t.Error("has is wrong")
	}
}

// Images of one name are told apart, also when they come again for another platform.
func TestNamesAreDistinct(t *testing.T) {
	list := newImageList()
	other := "sha256:" + strings.Repeat("0", 64)
	for range 2 {
		for _, ref := range []string{"quay.io/a/x@" + someDigest, "quay.io/a/x@" + other, "quay.io/b/x@" + other, "quay.io/c/x@" + other, "quay.io/a/y:1", "quay.io/b/y:1"} {
			list.add("", imageref.MustParse(ref))
		}
		list.add("Pod web: c", imageref.MustParse("quay.io/a/z:1"))
		list.add("Pod web: c", imageref.MustParse("quay.io/a/z:2"))
	}
	var got []string
	for _, i := range list.images {
		got = append(got, i.names...)
	}
	want := []string{"x", "x@000000000000", "x@000000000000 quay.io/b/x@" + other, "x@000000000000 quay.io/c/x@" + other, "y:1", "y:1 quay.io/b/y:1", "Pod web: c", "Pod web: c quay.io/a/z:2"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestCommitOf(t *testing.T) {
	for version, want := range map[string]string{
		"v0.0.0-20261129222015-0123456789ab": "0123456789ab", "v1.2.4-0.20261129222015-0123456789ab": "0123456789ab",
		"v1.2.4-rc.1.0.20261129222015-0123456789ab+incompatible": "0123456789ab", "v1.2.3": "", "(devel)": "", "": "", "v1.2.3-0123456789ab": "",
	} {
		if got := commitOf(version); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
}

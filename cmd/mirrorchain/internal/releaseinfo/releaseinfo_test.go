package releaseinfo

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func someRelease(t *testing.T) *provider.Release {
	t.Helper()
	mirror := imageref.MustParse("mirror.corp/ocp/release@" + someDigest)
	rel, err := provider.NewRelease(provider.ReleaseData{
		Image:      imageref.MustParse("quay.io/ocp/release@" + someDigest),
		PulledFrom: mirror,
		Attempts: []provider.Attempt{
			{Ref: imageref.MustParse("first.corp/ocp/release@" + someDigest), Took: 12 * time.Millisecond, Err: &provider.Error{
				Op: "reading the manifest", Ref: imageref.MustParse("first.corp/ocp/release@" + someDigest), Class: provider.ClassServer, Status: 503, Err: errors.New("service unavailable"),
			}},
			{Ref: mirror, Took: 1530 * time.Millisecond},
		},
		Version: "4.17.3", Digest: someDigest, Platform: provider.Platform{OS: "linux", Architecture: "arm64"},
		Created: time.Date(2024, 10, 28, 9, 15, 42, 0, time.UTC),
		Components: []provider.Component{
			{Name: "etcd", Canonical: imageref.MustParse("quay.io/ocp/art@" + someDigest)},
			{Name: "cli", Canonical: imageref.MustParse("quay.io/ocp/art@" + someDigest), Image: imageref.MustParse("over.corp/art@" + someDigest)},
		},
		ComponentVersions: map[string]string{"machine-os": "417.94", "kubernetes": "1.30.5"},
		Metadata:          provider.Metadata{Previous: []string{"4.16.1", "4.17.2"}, URL: "https://example.com/errata"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return rel
}

var none = notices.New(nil, nil)

func TestReleaseText(t *testing.T) {
	var out bytes.Buffer
	Text(&out, Show{}, imageref.MustParse("quay.io/ocp/release@"+someDigest), someRelease(t))
	want := strings.ReplaceAll(`Name:       4.17.3
Digest:     SHA
Created:    2024-10-28T09:15:42Z
OS/Arch:    linux/arm64
Asked For:  quay.io/ocp/release@SHA
Served By:  mirror.corp/ocp/release@SHA (in 1.5s, after 1 failed attempt)
Failed:     first.corp/ocp/release@SHA (after 12ms)
              server error: reading the manifest: service unavailable (HTTP 503)

Release Metadata:
  Version:   4.17.3
  Upgrades:  4.16.1, 4.17.2
  URL:       https://example.com/errata

Component Versions:
  kubernetes  1.30.5
  machine-os  417.94

Images:
  NAME  PULL SPEC
  cli   over.corp/art@SHA
  etcd  quay.io/ocp/art@SHA
`, "SHA", someDigest)
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestReleaseJSON(t *testing.T) {
	var out bytes.Buffer
	rel := someRelease(t)
	if err := output.Write(&out, output.JSON, New("quay.io/ocp/release@"+someDigest, rel.Image(), rel, none), nil); err != nil {
		t.Fatal(err)
	}
	want := `{
  "image": "quay.io/ocp/release@D",
  "digest": "D",
  "instanceDigest": "D",
  "pulledFrom": "mirror.corp/ocp/release@D",
  "version": "4.17.3",
  "stale": false,
  "platform": "linux/arm64",
  "indexPlatforms": [],
  "created": "2024-10-28T09:15:42Z",
  "metadata": {
    "previous": [
      "4.16.1",
      "4.17.2"
    ],
    "next": [],
    "url": "https://example.com/errata"
  },
  "attempts": [
    {
      "image": "first.corp/ocp/release@D",
      "error": "first.corp/ocp/release@D: reading the manifest: service unavailable (HTTP 503)",
      "durationMs": 12,
      "class": "server",
      "status": 503
    },
    {
      "image": "mirror.corp/ocp/release@D",
      "error": "",
      "durationMs": 1530,
      "class": "",
      "status": 0
    }
  ],
  "componentVersions": {
    "kubernetes": "1.30.5",
    "machine-os": "417.94"
  },
  "components": [
    {
      "name": "cli",
      "image": "over.corp/art@D",
      "canonical": "quay.io/ocp/art@D",
      "repository": "",
      "commit": "",
      "commitUrl": ""
    },
    {
      "name": "etcd",
      "image": "quay.io/ocp/art@D",
      "canonical": "quay.io/ocp/art@D",
      "repository": "",
      "commit": "",
      "commitUrl": ""
    }
  ],
  "bootImages": [],
  "warnings": [],
  "skipped": []
}
`
	if got := strings.ReplaceAll(out.String(), someDigest, "D"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What is empty is an empty list or object and never null; no platform is left
// out, no time is null.
func TestReleaseJSONEmpty(t *testing.T) {
	rel, err := provider.NewRelease(provider.ReleaseData{Image: imageref.MustParse("quay.io/a/b:1"), Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := output.Write(&out, output.JSON, New("quay.io/a/b:1", rel.Image(), rel, none), nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"attempts": []`, `"componentVersions": {}`, `"components": []`, `"created": null`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), `"platform"`) {
		t.Errorf("a platform that was not chosen: %s", out.String())
	}
}

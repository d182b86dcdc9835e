package main

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// published is an archive and what installs it.
type published struct {
	platform platform
	name     string
	sum      [sha256.Size]byte
}

// releaseVersion matches the versions that krew takes.
var releaseVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)

// krewManifest returns the manifest with which krew installs the program as a plugin of
// kubectl (krew.sigs.k8s.io/docs/developer-guide/plugin-manifest).
func krewManifest(version, url string, archives []published) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: %s
spec:
  version: %s
  homepage: https://github.com/mirrorchain/mirrorchain
  shortDescription: Show where OpenShift release images come from
  description: |
    Given an OpenShift release image and the mirror policies in force, says what is in the
    release and where it really came from. Policies are read from files and from clusters.
  platforms:
`, program, version)
	for _, a := range archives {
		fmt.Fprintf(&b, `  - selector:
      matchLabels:
        os: %s
        arch: %s
    uri: %s/%s
    sha256: %x
    bin: %s
`, a.platform.os, a.platform.arch, url, a.name, a.sum, a.platform.binary())
	}
	return []byte(b.String())
}

package main

import (
	"strings"
	"testing"
)

func TestCheckScope(t *testing.T) {
	for scope, want := range map[string]string{
		"quay.io": "", "quay.io:443": "", "quay.io/ns": "", "quay.io:443/ns/a_b": "", "*.redhat.io": "", "localhost": "", "localhost:5000/a": "",
		"[::1]:5000": "", "docker.io": "", "docker.io/library/alpine": "", "192.168.0.1:5000": "",

		"": "empty", "a.io,b.io": "repeat the flag", "quay.io/": "slash", "*": "wildcard", "*.": "whole hosts", "*.io:5": "whole hosts", "*.io/a": "whole hosts",
		"quay.*": "wildcard", "http://x.io": "scheme", "QUAY.IO": "upper-case", "quay.io/A": "upper-case", "*.IO": "upper-case", "quay.io:1:2": "neither",
		"quay.io:x": "neither", "a b": "neither", "quay.io/a b": "neither", "quay.io/ns:tag": "a tag", "quay.io//a": "neither",
		"alpine": "no registry host", "openshift/release": "no registry host", "docker.io/alpine": "docker.io/library/alpine", "index.docker.io": "docker.io",
	} {
		err := checkScope(scope)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", scope, err, want)
		}
	}
}

// What a hint prints for copying is one command line, with the policy flags and no
// others.
func TestCommandLine(t *testing.T) {
	a := &app{opts: options{
		sources: []string{"idms.yaml", "my policies/x's"}, blocked: []string{"*.io"}, insecure: []string{"a.io"}, registryOverrides: []string{"a=b"},
		strict: true, tagsFollowDigest: true, tlsVerify: true, authfile: "secret.json",
	}}
	got := a.commandLine("explain", "quay.io/a/b:1")
	want := `mirrorchain explain -s idms.yaml -s 'my policies/x'\''s' --registry-overrides a=b --insecure-registry a.io --blocked-registry '*.io' --strict --tags-follow-digest-rules quay.io/a/b:1`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

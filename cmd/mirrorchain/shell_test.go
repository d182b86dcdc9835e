package main

import (
	"testing"
)

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

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/sources/idms"
)

const policyYAML = `apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: mirrors}
spec:
  imageDigestMirrors:
  - source: quay.io/acme
    mirrors: [mirror.example.com/acme]
    mirrorSourcePolicy: NeverContactSource
`

func TestFollow(t *testing.T) {
	c := cluster.Start(t)
	c.Install(t, cluster.OpenShiftCRD(t, "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml"))
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(policyYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	image := "quay.io/acme/app@sha256:" + strings.Repeat("0", 64)

	ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, in, idms.Config{REST: c.Config()}, image)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("the program ended without printing %q", want)
	}

	expect("+ 1. " + image + " []")
	if out, err := c.Kubectl(t, "apply", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	expect("- 1. " + image + " []")
	expect("+ 1. mirror.example.com/acme/app@sha256:")
	expect("+ not " + image + ", blocked by quay.io/acme")

	// One more mirror, behind: what was so still is.
	more := strings.Replace(policyYAML, "mirror.example.com/acme]", "mirror.example.com/acme, second.example.com/acme]", 1)
	if err := os.WriteFile(file, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Kubectl(t, "apply", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	expect("  1. mirror.example.com/acme/app@sha256:")
	expect("+ 2. second.example.com/acme/app@sha256:")
	if out, err := c.Kubectl(t, "delete", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	expect("- 2. second.example.com/acme/app@sha256:")
	expect("+ 1. " + image + " []")

	cancel()
	for lines.Scan() {
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func TestLookup(t *testing.T) {
	mirror, err := testregistry.Start(testregistry.Config{
		Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "admin", Password: "secret"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer mirror.Close()
	release := testpayload.Must(testpayload.Release{Version: "4.17.3"}.Image())
	mirror.Push("ocp/release", "", release)

	policy := filepath.Join(t.TempDir(), "idms.yaml")
	text := fmt.Sprintf(`
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: example}
spec:
  imageDigestMirrors:
  - source: quay.io/example
    mirrors: [%s/ocp]
    mirrorSourcePolicy: NeverContactSource
`, mirror.Host())
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "pull-secret.json")
	text = fmt.Sprintf(`{"auths": {%q: {"username": "admin", "password": "secret"}}}`, mirror.Host())
	if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	t.Setenv("REGISTRY_AUTH_FILE", secret)
	base, err := registry.New(registry.Config{RootCAs: mirror.CA().Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	cfg := mirrorchain.Config{Policies: []string{policy}, Base: base}
	if err := run(t.Context(), &out, cfg, "quay.io/example/release@"+release.Digest); err != nil {
		t.Fatal(err)
	}
	if want := "4.17.3, served by " + mirror.Host() + "\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("it prints\n%s\nwant it to start with\n%s", &out, want)
	}
	if !strings.Contains(out.String(), "\nmachine-config-operator ") {
		t.Errorf("no machine-config-operator in\n%s", &out)
	}
}

package mirrorchain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// idms writes a policy that forbids its source.
func idms(t *testing.T, path string, mirrors ...string) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: example}
spec:
  imageDigestMirrors:
  - source: quay.io/example
    mirrors: [%s]
    mirrorSourcePolicy: NeverContactSource
`, strings.Join(mirrors, ", "))
	must(t, os.WriteFile(path+".new", []byte(text), 0o600))
	must(t, os.Rename(path+".new", path))
}

func open(t *testing.T, cfg mirrorchain.Config) *mirrorchain.Client {
	t.Helper()
	client, err := mirrorchain.Open(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, client.Close()) })
	return client
}

// A release and an image are read from the second mirror, with the credentials that a
// file has for it, while the first mirror is dead.
func TestLookups(t *testing.T) {
	mirror, err := testregistry.Start(testregistry.Config{
		Auth: testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "admin", Password: "secret"}}},
	})
	must(t, err)
	defer mirror.Close()
	image := testpayload.Must(testpayload.Release{Version: "4.17.3"}.Image())
	mirror.Push("ocp/release", "", image)
	dir := t.TempDir()
	idms(t, dir+"/idms.yaml", "127.0.0.1:1/ocp", mirror.Host()+"/ocp")
	secret := fmt.Sprintf(`{"auths": {%q: {"username": "admin", "password": "secret"}}}`, mirror.Host())
	must(t, os.WriteFile(dir+"/auth.json", []byte(secret), 0o600))
	t.Setenv("REGISTRY_AUTH_FILE", dir+"/auth.json")
	base, err := registry.New(registry.Config{RootCAs: mirror.CA().Pool()})
	must(t, err)
	defer base.Close()

	client := open(t, mirrorchain.Config{Policies: []string{dir + "/idms.yaml"}, Base: base})
	pullspec := "quay.io/example/release@" + image.Digest
	release, err := client.Release(t.Context(), pullspec)
	must(t, err)
	if release.Version() != "4.17.3" || release.PulledFrom().Registry() != mirror.Host() {
		t.Errorf("got %s of %s", release.Version(), release.PulledFrom())
	}
	found, err := client.Image(t.Context(), pullspec)
	must(t, err)
	if found.Digest() != image.Digest || found.PulledFrom().Registry() != mirror.Host() {
		t.Errorf("got %s of %s", found.Digest(), found.PulledFrom())
	}
}

// Credentials are looked for only at the endpoints that may be asked.
func TestCredentialsAreForEndpoints(t *testing.T) {
	path := t.TempDir() + "/idms.yaml"
	idms(t, path, "127.0.0.1:1/ocp")
	failed := errors.New("no keychain")
	var asked []string
	client := open(t, mirrorchain.Config{
		Policies: []string{"file:" + path},
		Credentials: func(_ context.Context, endpoints ...imageref.Ref) (provider.Credentials, error) {
			for _, e := range endpoints {
				asked = append(asked, e.Name())
			}
			return provider.Credentials{}, failed
		},
	})
	_, err := client.Release(t.Context(), "quay.io/example/release@sha256:"+strings.Repeat("0", 64))
	if !errors.Is(err, failed) || !slices.Equal(asked, []string{"127.0.0.1:1/ocp/release"}) {
		t.Errorf("got %v, asked for %v", err, asked)
	}
}

// Policies are followed until the client is closed, and nothing of it is left then.
func TestFollowsUntilClosed(t *testing.T) {
	before := goleak.IgnoreCurrent()
	path := filepath.Join(t.TempDir(), "idms.yaml")
	idms(t, path, "one.example.com/ocp")
	// Open's context ends before the client does.
	opening, opened := context.WithCancel(t.Context())
	client, err := mirrorchain.Open(opening, mirrorchain.Config{Policies: []string{path}})
	must(t, err)
	opened()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var seen []string
	for range client.Resolver().Changes(ctx) {
		res, err := client.Resolve("quay.io/example/release@sha256:" + strings.Repeat("0", 64))
		must(t, err)
		seen = append(seen, res.Candidates[0].Ref.Registry())
		if len(seen) == 2 {
			break
		}
		idms(t, path, "two.example.com/ocp")
	}
	if want := []string{"one.example.com", "two.example.com"}; !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	must(t, client.Close())
	must(t, client.Close())
	goleak.VerifyNone(t, before)
}

func TestOpenErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"nosuch:x":        "known are env, file",
		"no/such.yaml":    "there is no directory",
		"cluster:":        `unknown scheme "cluster"`,
		"env:A=B":         "want the name of a variable",
		"mirrorchain.go":  "mirrorchain.go:", // a file that is no policy
		"testdata:nosuch": "unknown scheme",
	} {
		_, err := mirrorchain.Open(t.Context(), mirrorchain.Config{Policies: []string{spec}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
	client := open(t, mirrorchain.Config{})
	if _, err := client.Release(t.Context(), "quay.io/A:b:c"); !errors.Is(err, imageref.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

// A source that is away fails lookups, not the opening.
func TestSourceAway(t *testing.T) {
	client := open(t, mirrorchain.Config{Sources: []policy.OverrideSource{away{sources.Static("away", policy.Policy{})}}})
	if _, err := client.Release(t.Context(), "quay.io/a/b:c"); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Resolve("quay.io/a/b:c"); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("got %v", err)
	}
}

type away struct{ policy.OverrideSource }

func (away) Load(context.Context) (policy.Policy, error) {
	return policy.Policy{}, errors.New("not there")
}

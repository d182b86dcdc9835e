package trust_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func bundle(t *testing.T, ca *testregistry.CA) string {
	t.Helper()
	return string(ca.PEM())
}

// An authority in a bundle is trusted, beside what certs.d has, and not without.
func TestRegistries(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	other, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	reg.Push("a/b", "1", testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{testpayload.File("a", "b")}}}}.Image()))
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours, theirs := file("ours.pem", bundle(t, reg.CA())), file("theirs.pem", bundle(t, other))
	certs := filepath.Join(dir, "certs.d")
	if err := os.MkdirAll(filepath.Join(certs, reg.Host()), 0o755); err != nil {
		t.Fatal(err)
	}
	file(filepath.Join("certs.d", reg.Host(), "ca.crt"), bundle(t, other))
	for name, c := range map[string]struct {
		bundles, dirs []string
		trusted       bool
	}{
		"none":                {nil, nil, false},
		"another's":           {[]string{theirs}, nil, false},
		"not there":           {[]string{filepath.Join(dir, "absent")}, nil, false},
		"empty":               {[]string{file("empty.pem", "\n")}, nil, false},
		"ours":                {[]string{ours}, nil, true},
		"both":                {[]string{theirs, ours}, nil, true},
		"beside certs.d":      {[]string{ours}, []string{certs}, true},
		"certs.d, another's":  {nil, []string{certs}, false},
		"with text around it": {[]string{file("text.pem", "# ours\n"+bundle(t, reg.CA())+"\n# end\n")}, nil, true},
		"with a strange one":  {[]string{file("strange.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))+bundle(t, reg.CA()))}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := registry.New(registry.Config{TLS: trust.Registries(c.bundles, c.dirs, nil)})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if _, err = p.Image(t.Context(), provider.Request{Image: reg.ByTag("a/b", "1")}); (err == nil) != c.trusted {
				t.Errorf("trusted is %t; want %t: %v", err == nil, c.trusted, err)
			}
		})
	}
	name := file("none.pem", "text")
	if _, err := trust.Registries([]string{name}, nil, nil)("quay.io"); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a bundle without a certificate: %v", err)
	}
}

// What of a bundle is not trusted is told once, and again when it changes.
func TestRegistriesWarn(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	name := filepath.Join(t.TempDir(), "bundle.pem")
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	of := trust.Registries([]string{name}, nil, zap.New(core))
	for _, c := range []struct {
		before   string
		reported int
	}{{"", 0}, {"-----BEGIN X509 CRL-----\n", 1}, {"-----BEGIN X509 CRL-----\n", 1}, {"-----BEGIN X-----\n-----END X-----\n", 2}, {"", 2}} {
		if err := os.WriteFile(name, []byte(c.before+bundle(t, ca)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := of("quay.io"); err != nil {
			t.Fatal(err)
		}
		if logged.Len() != c.reported {
			t.Errorf("after %q told %d times, want %d", c.before, logged.Len(), c.reported)
		}
	}
	if fields := logged.All()[0].ContextMap(); fields["file"] != name || fields["skipped"] != "not trusted: block 1: it has no end" {
		t.Errorf("told %v", fields)
	}
}

// A store of blobs that a registry leads to is trusted by the certificates of that registry,
// also where there are authorities for all registries.
func TestBundleBesideCertDir(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{RedirectBlobs: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	reg.Push("a/b", "1", testpayload.Must(testpayload.Release{Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image()))
	other, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certs := filepath.Join(dir, "certs.d")
	if err := os.MkdirAll(filepath.Join(certs, reg.Host()), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{filepath.Join(certs, reg.Host(), "ca.crt"): bundle(t, reg.CA()), filepath.Join(dir, "bundle.pem"): bundle(t, other)} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, bundles := range map[string][]string{"without a bundle": nil, "with another authority": {filepath.Join(dir, "bundle.pem")}} {
		p, err := registry.New(registry.Config{TLS: trust.Registries(bundles, []string{certs}, nil)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Lookup(t.Context(), provider.Request{Image: reg.ByTag("a/b", "1")}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An authority that is added is trusted soon by who had refused the registry's certificate.
func TestBundleAddedAfterRefusal(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	reg.Push("a/b", "1", testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: []testpayload.Entry{testpayload.File("a", "b")}}}}.Image()))
	file := filepath.Join(t.TempDir(), "bundle.pem")
	p, err := registry.New(registry.Config{TLS: trust.Registries([]string{file}, nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ask := func() error {
		_, err := p.Image(t.Context(), provider.Request{Image: reg.ByTag("a/b", "1")})
		return err
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Fatalf("not refused: %v", err)
	}
	if err := os.WriteFile(file, []byte(bundle(t, reg.CA())), 0o600); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Since(begun) > 20*time.Second { // what is trusted is looked at once a minute otherwise
			t.Fatalf("it is still refused: %v", err)
		}
	}
}

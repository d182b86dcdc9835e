package payload_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The registry client of machine-config-controller itself finds the rules in force, the
// pull secret, certificates and proxies, and none of them is in what nodes get.
func TestClients(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bundle := write("bundle.pem", "an authority of the cluster")
	write("first/mirror.example.com/ca.crt", "first")
	write("second/mirror.example.com/ca.crt", "second")
	write("second/other.example.com:5000/ca.crt", "other")
	t.Setenv("SSL_CERT_FILE", write("system.pem", "an authority of the system"))

	w := newWorld(t, options{cfg: func(c *payload.Config) {
		c.Clients = payload.Clients{
			Bundles:  []string{filepath.Join(dir, "absent.pem"), bundle},
			CertDirs: []string{filepath.Join(dir, "absent"), filepath.Join(dir, "first"), filepath.Join(dir, "second")},
			Proxy:    payload.ProxyEnv([]string{"https_proxy=http://proxy.example.com", "NO_PROXY=10.0.0.0/8", "PATH=/nowhere"}),
		}
	}})
	_, files := w.generate()
	var home map[string]string
	var called struct{ Env []string }
	if err := json.Unmarshal([]byte(files["controller.home"]), &home); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(files["controller.args"]), &called); err != nil {
		t.Fatal(err)
	}
	const conf = ".config/containers/registries.conf.d/50-mirrorchain.conf"
	for name, want := range map[string]string{
		conf:                      w.mirrors[0].Host() + "/" + mirroredComponents,
		".docker/config.json":     string(w.in.PullSecret),
		".config/authorities.pem": "an authority of the cluster\nan authority of the system",
		".config/containers/certs.d/mirror.example.com":     filepath.Join(dir, "first/mirror.example.com"),
		".config/containers/certs.d/other.example.com:5000": filepath.Join(dir, "second/other.example.com:5000"),
	} {
		if !strings.Contains(home[name], want) {
			t.Errorf("%s is %q; want %q in it", name, home[name], want)
		}
	}
	if !strings.Contains(home[conf], "blocked = true") {
		t.Errorf("NeverContactSource is not in %s", home[conf])
	}
	for _, want := range []string{"https_proxy=http://proxy.example.com", "NO_PROXY=10.0.0.0/8"} {
		if !slices.Contains(called.Env, want) {
			t.Errorf("the environment is %q; want %s", called.Env, want)
		}
	}
	for _, name := range []string{"SSL_CERT_FILE", "REGISTRY_AUTH_FILE", "HOME"} {
		if !slices.ContainsFunc(called.Env, func(v string) bool { return strings.HasPrefix(v, name+"=") }) {
			t.Errorf("the environment has no %s", name)
		}
	}
	if slices.Contains(called.Env, "PATH=/nowhere") {
		t.Error("more than proxies is passed on")
	}
	for name := range files {
		if strings.Contains(name, "50-mirrorchain.conf") || strings.Contains(name, "config.json") || strings.Contains(name, "authorities.pem") {
			t.Errorf("nodes get %s", name)
		}
	}
	w.clean()
}

// Tables of drop-ins are in files of their own, after the others: here two say of one place
// that it is insecure, and that it is not.
func TestClientsDropIns(t *testing.T) {
	table := func(source string, dropIn bool) policy.Rule {
		return policy.Rule{Source: source, ConfTable: true, DropIn: dropIn, Pull: policy.PullAny, Location: "place.example.com", Insecure: dropIn}
	}
	w := newWorld(t, options{more: []policy.Rule{table("base.example.com", false), table("drop-in.example.com", true)}})
	_, files := w.generate()
	var home map[string]string
	if err := json.Unmarshal([]byte(files["controller.home"]), &home); err != nil {
		t.Fatal(err)
	}
	const dir = ".config/containers/registries.conf.d/"
	base, dropIn := home[dir+"50-mirrorchain.conf"], home[dir+"60-mirrorchain-1.conf"]
	for _, has := range []struct {
		name, text, of string
		want           bool
	}{
		{"the first file", base, "base.example.com", true},
		{"the first file", base, mirroredComponents, true},
		{"the first file", base, "drop-in.example.com", false},
		{"the first file", base, "insecure = true", false},
		{"the drop-in", dropIn, "drop-in.example.com", true},
		{"the drop-in", dropIn, "insecure = true", true},
		{"the drop-in", dropIn, "base.example.com", false},
	} {
		if strings.Contains(has.text, has.of) != has.want {
			t.Errorf("%s has %s: %t, want %t\n%s", has.name, has.of, !has.want, has.want, has.text)
		}
	}
}

// What keeps an image from being read is in the message for the token Secret.
func TestImageOverLimit(t *testing.T) {
	w := newWorld(t, options{limits: registry.Limits{Extract: 100_000}})
	_, err := w.pipeline.Generate(t.Context(), w.in)
	_, message := payload.Report(err)
	for _, want := range []string{
		"reading the machine-config-operator image: ", w.mirrors[0].Host() + "/" + mirroredComponents,
		"limit (the image's layers come to more than the 100000 bytes that it may have on disk)",
	} {
		if !strings.Contains(message, want) {
			t.Errorf("the message is %q; want %q in it", message, want)
		}
	}
	w.clean()
}

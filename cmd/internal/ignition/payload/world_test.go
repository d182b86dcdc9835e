package payload_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/filecache"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// program is the stand-in for the programs of a release, built once.
var program []byte

func TestMain(m *testing.M) {
	b, err := buildProgram()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = b
	goleak.VerifyTestMain(m)
}

func buildProgram() ([]byte, error) {
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "program"), "./testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the stand-in: %w\n%s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "program"))
}

const (
	releaseRepository   = "openshift-release-dev/ocp-release"
	componentRepository = "openshift-release-dev/ocp-v4.0-art-dev"
	mirroredRelease     = "openshift/release-images"
	mirroredComponents  = "openshift/release"

	user, password = "node", "s3cr3t-password"
)

// world is a source that must not be asked, mirrors, and a pipeline.
type world struct {
	t             *testing.T
	source        *testregistry.Registry
	mirrors       [2]*testregistry.Registry
	release       testpayload.Image
	digests       map[string]string // of component images
	rules         *provider.Rules
	workDir       string
	files         *filecache.Cache
	in            payload.Inputs
	pipeline      *payload.Pipeline
	releaseInfoMu sync.Mutex
	releaseInfo   []string
}

// options say what is special.
type options struct {
	version    string                         // "" is 4.17.3
	components map[string][]testpayload.Entry // nil entries leave one out
	images     map[string]string              // further components, by digest-less names
	mode       string
	only       int // mirror that has the component images: 0 both, 1 or 2
	rewrite    bool
	cfg        func(*payload.Config)
	osRelease  string // of this process; "" is RHEL 9
}

// executables are the stand-in under each of names: one file and links to it.
func executables(names ...string) []testpayload.Entry {
	es := []testpayload.Entry{{Name: names[0], Body: program, Mode: 0o755}}
	for _, n := range names[1:] {
		es = append(es, testpayload.HardLink(n, names[0]))
	}
	return es
}

func operatorImage(system string, extra ...testpayload.Entry) []testpayload.Entry {
	return append([]testpayload.Entry{
		testpayload.File("usr/lib/os-release", "NAME=\"Red Hat Enterprise Linux\"\nVERSION_ID=\""+system+"\"\n"),
		testpayload.File("etc/mcc/templates/master/00.yaml", "a template"),
		testpayload.File("etc/mcc/templates/worker/deep/01.yaml", "another"),
	}, extra...)
}

var plain = []string{"usr/bin/machine-config-operator", "usr/bin/machine-config-controller", "usr/bin/machine-config-server"}

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	if o.version == "" {
		o.version = "4.17.3"
	}
	w := &world{t: t, digests: map[string]string{}, workDir: t.TempDir()}
	w.startRegistries()
	w.pushRelease(o)
	w.makeRules(o.rewrite)
	w.makeInputs(o.mode)
	w.makePipeline(o)
	return w
}

func (w *world) startRegistries() {
	ca, err := testregistry.NewCA()
	if err != nil {
		w.t.Fatal(err)
	}
	start := func(auth testregistry.Auth) *testregistry.Registry {
		r, err := testregistry.Start(testregistry.Config{CA: ca, Auth: auth})
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(r.Close)
		return r
	}
	w.source = start(testregistry.Auth{})
	for i := range w.mirrors {
		w.mirrors[i] = start(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: user, Password: password}}})
	}
}

func (w *world) pushRelease(o options) {
	entries := map[string][]testpayload.Entry{
		"machine-config-operator": operatorImage("9.4", executables(plain...)...),
		"cluster-config-api":      executables("usr/bin/render"),
		"cluster-config-operator": executables("usr/bin/cluster-config-operator"),
	}
	for name, es := range o.components {
		if entries[name] = es; es == nil {
			delete(entries, name)
		}
	}
	type tag struct {
		Name string `json:"name"`
		From struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"from"`
	}
	var tags []tag
	add := func(name, digest string) {
		t := tag{Name: name}
		t.From.Kind, t.From.Name = "DockerImage", w.source.Host()+"/"+componentRepository+"@"+digest
		tags = append(tags, t)
		w.digests[name] = digest
	}
	for name, es := range entries {
		img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{
			{Entries: []testpayload.Entry{testpayload.File("etc/motd", "a base layer of "+name)}},
			{Entries: es, Compression: testpayload.Uncompressed}, // programs take long to compress
		}}.Image())
		for i, m := range w.mirrors {
			if o.only == 0 || o.only == i+1 {
				m.Push(mirroredComponents, "", img)
			}
		}
		add(name, img.Digest)
	}
	for name := range o.images {
		add(name, testpayload.Digest([]byte(name)))
	}
	references, err := json.Marshal(map[string]any{
		"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
		"metadata": map[string]any{"name": o.version, "creationTimestamp": "2024-10-28T09:15:42Z"},
		"spec":     map[string]any{"tags": tags},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.release = testpayload.Must(testpayload.Release{
		Version: o.version, Manifests: -1,
		Files: map[string][]byte{testpayload.ImageReferencesFile: references},
	}.Image())
	for _, m := range w.mirrors {
		m.Push(mirroredRelease, o.version, w.release)
	}
}

func (w *world) makeRules(rewrite bool) {
	mirrors := func(repository string) []provider.Mirror {
		return []provider.Mirror{{Location: w.mirrors[0].Host() + "/" + repository}, {Location: w.mirrors[1].Host() + "/" + repository}}
	}
	p := provider.Policy{Rules: []provider.Rule{
		{Kind: provider.KindMirror, Source: w.source.Host() + "/" + releaseRepository, Mirrors: mirrors(mirroredRelease), Pull: provider.PullDigest, NeverContactSource: true},
		{Kind: provider.KindMirror, Source: w.source.Host() + "/" + componentRepository, Mirrors: mirrors(mirroredComponents), Pull: provider.PullDigest, NeverContactSource: true},
	}}
	if rewrite {
		p.Rules = []provider.Rule{
			{Kind: provider.KindRewrite, Source: w.source.Host() + "/" + releaseRepository, Mirrors: mirrors(mirroredRelease)[:1]},
			{Kind: provider.KindRewrite, Source: w.source.Host() + "/" + componentRepository, Mirrors: mirrors(mirroredComponents)[:1]},
		}
	}
	rules, err := provider.NewRules(provider.RulesConfig{}, p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rules = rules
}

func (w *world) makeInputs(mode string) {
	auths := map[string]any{}
	for _, m := range w.mirrors {
		auths[m.Host()] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	}
	secret, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		w.t.Fatal(err)
	}
	w.in = payload.Inputs{
		Name: "token-np-1", Release: w.source.ByDigest(releaseRepository, w.release.Digest).String(),
		Config: []byte("custom: $(touch /tmp/injected) EOF"), PullSecret: secret, PullSecretHash: payload.Hash(secret),
		BootstrapKubeconfig: []byte("kind: Config\nusers:\n- user:\n    token: bootstrap-token\n"),
		ConfigurationHash:   "h1",
		MachineConfigServer: map[string]string{"configuration-hash": "h1", "install-config.yaml": "mode: " + mode},
	}
	for _, name := range []string{"root-ca.crt", "signer-ca.crt", "cluster-infrastructure-02-config.yaml", "cluster-network-02-config.yaml",
		"cluster-proxy-01-config.yaml", "cluster-dns-02-config.yaml", "user-ca-bundle-config.yaml", "cluster-apiserver-config.yaml",
		"image-config.yaml", "worker.machineconfigpool.yaml", "pull-secret.yaml"} {
		w.in.MachineConfigServer[name] = "of the configmap: " + name
	}
}

func (w *world) makePipeline(o options) {
	base, err := registry.New(registry.Config{RootCAs: w.source.CA().Pool()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { base.Close() })
	current := func() *provider.Rules { return w.rules }
	releases, err := chain.New(base, current, chain.Translate(chain.TranslateConfig{Live: true}), chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
	if err != nil {
		w.t.Fatal(err)
	}
	images, err := chain.Images(base, current, chain.MirrorsConfig{})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.files, err = filecache.Open(filecache.Config{Dir: w.t.TempDir()}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.files.Close() })
	write := func(name, content string) string {
		path := filepath.Join(w.t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return path
	}
	if o.osRelease == "" {
		o.osRelease = "VERSION_ID=\"9.6\"\n"
	}
	cfg := payload.Config{
		Releases: releases, Images: images, Rules: current, Files: w.files, WorkDir: w.workDir,
		FeatureGate: write("gate.yaml", "kind: FeatureGate # $(x) EOF"), OSRelease: write("os-release", o.osRelease),
		Poll: 10 * time.Millisecond,
		ReleaseInfo: func(_ context.Context, version string, missing []string) {
			w.releaseInfoMu.Lock()
			defer w.releaseInfoMu.Unlock()
			w.releaseInfo = append(w.releaseInfo, strings.TrimSpace(version+" "+strings.Join(missing, ",")))
		},
	}
	if o.cfg != nil {
		o.cfg(&cfg)
	}
	if w.pipeline, err = payload.New(cfg); err != nil {
		w.t.Fatal(err)
	}
}

// made is what came out of the programs: files by name.
type made map[string]string

func (w *world) decode(b []byte) made {
	w.t.Helper()
	var config struct {
		Ignition struct{ Version string }
		Storage  struct {
			Files []struct {
				Path     string
				Contents struct{ Source string }
			}
		}
	}
	if err := json.Unmarshal(b, &config); err != nil || config.Ignition.Version != "3.2.0" {
		w.t.Fatalf("%v, version %q", err, config.Ignition.Version)
	}
	m := made{}
	for _, f := range config.Storage.Files {
		_, encoded, _ := strings.Cut(f.Contents.Source, ",")
		content, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			w.t.Fatal(err)
		}
		m[strings.TrimPrefix(f.Path, "/")] = string(content)
	}
	return m
}

func (w *world) generate() (payload.Result, made) {
	w.t.Helper()
	r, err := w.pipeline.Generate(w.t.Context(), w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	return r, w.decode(r.Ignition)
}

// clean checks that nothing is left, and that nobody asked the source.
func (w *world) clean() {
	w.t.Helper()
	if left, err := os.ReadDir(w.workDir); err != nil || len(left) != 0 {
		w.t.Errorf("left in the work directory: %v, %v", left, err)
	}
	if n := w.source.Count(); n != 0 {
		w.t.Errorf("the source got %d requests, such as %+v", n, w.source.Requests()[0])
	}
}

// watcher sees processes come, by their connections, and go.
type watcher struct {
	net.Listener
	t *testing.T
}

func watch(t *testing.T) watcher {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return watcher{l, t}
}

func (w watcher) come() net.Conn {
	w.t.Helper()
	c, err := w.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// gone waits until the process at the other end has ended.
func (w watcher) gone(c net.Conn) {
	w.t.Helper()
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Error("a process is still there")
	}
}

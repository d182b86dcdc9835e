package payload_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/filecache"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// program is the stand-in for the programs of a release, built once.
var program []byte

func TestMain(m *testing.M) {
	if os.Getenv(coldPayload) != "" { // that runs other programs
		os.Exit(m.Run())
	}
	b, err := machineconfig.Build(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = b
	goleak.VerifyTestMain(m)
}

const (
	releaseRepository   = machineconfig.ReleaseRepository
	componentRepository = machineconfig.ComponentRepository
	mirroredRelease     = machineconfig.MirroredRelease
	mirroredComponents  = machineconfig.MirroredComponents

	user, password = "node", "s3cr3t-password"
)

// world is a source that must not be asked, mirrors, and a pipeline.
type world struct {
	t             *testing.T
	source        *testregistry.Registry
	mirrors       [2]*testregistry.Registry
	places        places
	release       testpayload.Image
	digests       map[string]string // of component images
	rules         *policy.Rules
	workDir       string
	files         *filecache.Cache
	in            payload.Inputs
	pipeline      *payload.Pipeline
	releaseInfoMu sync.Mutex
	releaseInfo   []string
}

// places are what a pipeline is told of registries.
type places struct {
	Source  string    // host
	Mirrors [2]string // hosts
	Release string    // pullspec, at the source
	CA      []byte    // of the registries, PEM
}

// options say what is special.
type options struct {
	version    string                         // "" is 4.17.3
	components map[string][]testpayload.Entry // nil entries leave one out
	nowhere    []string                       // further components, without images
	mode       string
	only       int // mirror that has the component images: 0 both, 1 or 2
	rewrite    bool
	more       []policy.Rule // beside those of mirrors
	cfg        func(*payload.Config)
	osRelease  string              // of this process; "" is RHEL 9
	real       *machineconfig.Real // programs; nil is the stand-in
	limits     registry.Limits
}

func executables(names ...string) []testpayload.Entry {
	return machineconfig.Executables(program, names...)
}

func operatorImage(system string, extra ...testpayload.Entry) []testpayload.Entry {
	return machineconfig.OperatorImage(system, extra...)
}

var plain = machineconfig.Programs()

func newWorld(t *testing.T, o options) *world {
	t.Helper()
	if o.version == "" {
		o.version = "4.17.3"
	}
	w := &world{t: t, digests: map[string]string{}, workDir: t.TempDir()}
	w.startRegistries()
	w.pushRelease(o)
	w.makeRules(o.rewrite, o.more...)
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
	release := machineconfig.Release{Version: o.version, Source: w.source.Host(), Program: program, Components: o.components, Nowhere: o.nowhere}
	if o.real != nil {
		release = o.real.Release(w.t, w.source.Host())
		maps.Copy(release.Components, o.components)
		if o.nowhere != nil {
			release.Nowhere = o.nowhere
		}
	}
	images, err := release.Images()
	if err != nil {
		w.t.Fatal(err)
	}
	w.release, w.digests = images.Release, images.Digests
	w.places = places{
		Source: w.source.Host(), Mirrors: [2]string{w.mirrors[0].Host(), w.mirrors[1].Host()},
		Release: images.Pullspec, CA: w.source.CA().PEM(),
	}
	for i, m := range w.mirrors {
		m.Push(mirroredRelease, o.version, w.release)
		if o.only == 0 || o.only == i+1 {
			images.PushComponentsTo(m.Push)
		}
	}
}

func (w *world) makeRules(rewrite bool, more ...policy.Rule) {
	mirrors := func(repository string) []policy.Mirror {
		return []policy.Mirror{{Location: w.places.Mirrors[0] + "/" + repository}, {Location: w.places.Mirrors[1] + "/" + repository}}
	}
	p := policy.Policy{Rules: []policy.Rule{
		{Kind: policy.KindMirror, Source: w.places.Source + "/" + releaseRepository, Mirrors: mirrors(mirroredRelease), Pull: policy.PullDigest, NeverContactSource: true},
		{Kind: policy.KindMirror, Source: w.places.Source + "/" + componentRepository, Mirrors: mirrors(mirroredComponents), Pull: policy.PullDigest, NeverContactSource: true},
	}}
	if rewrite {
		p.Rules = []policy.Rule{
			{Kind: policy.KindRewrite, Source: w.places.Source + "/" + releaseRepository, Mirrors: mirrors(mirroredRelease)[:1]},
			{Kind: policy.KindRewrite, Source: w.places.Source + "/" + componentRepository, Mirrors: mirrors(mirroredComponents)[:1]},
		}
	}
	p.Rules = append(p.Rules, more...)
	rules, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rules = rules
}

func (w *world) makeInputs(mode string) {
	secret := machineconfig.PullSecret(user, password, w.places.Mirrors[0], w.places.Mirrors[1])
	w.in = payload.Inputs{
		Name: "token-np-1", Release: w.places.Release,
		Config: []byte("custom: $(touch /tmp/injected) EOF"), PullSecret: secret, PullSecretHash: payload.Hash(secret),
		BootstrapKubeconfig: []byte(machineconfig.BootstrapKubeconfig),
		ConfigurationHash:   machineconfig.ConfigurationHash,
		MachineConfigServer: machineconfig.ConfigMap(mode),
	}
}

func (w *world) makePipeline(o options) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.places.CA)
	base, err := registry.New(registry.Config{RootCAs: roots, Limits: o.limits})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { base.Close() })
	current := func() *policy.Rules { return w.rules }
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

func (w *world) decode(b []byte) machineconfig.Files {
	w.t.Helper()
	files, err := machineconfig.Decode(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

func (w *world) generate() (payload.Result, machineconfig.Files) {
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
	if remaining, err := os.ReadDir(w.workDir); err != nil || len(remaining) != 0 {
		w.t.Errorf("left in the work directory: %v, %v", remaining, err)
	}
	if n := w.source.Count(); n != 0 {
		w.t.Errorf("the source got %d requests, such as %+v", n, w.source.Requests()[0])
	}
}

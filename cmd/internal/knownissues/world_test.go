package knownissues

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is where releases of these tests come from, if they do.
const source = "quay.io/openshift-release-dev/ocp-release"

var (
	manifests = testregistry.Match{Kind: testregistry.Manifest}
	blobs     = testregistry.Match{Kind: testregistry.Blob}
)

// world is a network: registries under the names that policies know them by, and
// nothing else. What is not in it does not answer, and that it was dialled is noted.
type world struct {
	ca       *testregistry.CA
	registry *registry.Provider // trusts ca

	mu     sync.Mutex
	hosts  map[string]*testregistry.Registry // by "host:port"
	dialed []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ca: ca, hosts: map[string]*testregistry.Registry{}}
	w.registry = w.client(t)
	return w
}

// client reads registries of the world, and remembers nothing of other clients.
func (w *world) client(t *testing.T) *registry.Provider {
	t.Helper()
	p, err := registry.New(registry.Config{RootCAs: w.ca.Pool(), Dial: w.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	w.dialed = append(w.dialed, address)
	r := w.hosts[address]
	w.mu.Unlock()
	if r == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("there is no %s", address)}
	}
	return new(net.Dialer).DialContext(ctx, network, r.Main().Addr())
}

// dials returns how often anybody tried to connect to host, which may have a port.
func (w *world) dials(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, address := range w.dialed {
		if address == withPort(host) {
			n++
		}
	}
	return n
}

func withPort(host string) string {
	if strings.Contains(host, ":") {
		return host
	}
	return host + ":443"
}

// serve starts a registry that has host as its name.
func (w *world) serve(t *testing.T, host string, auth testregistry.Auth) *testregistry.Registry {
	t.Helper()
	name, _, _ := strings.Cut(host, ":")
	r, err := testregistry.Start(testregistry.Config{CA: w.ca, Names: []string{name}, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[withPort(host)] = r
	w.hosts[r.Main().Addr()] = r // its token realm
	return r
}

// release returns one with n components and small layers.
func release(n int) testpayload.Release {
	return testpayload.Release{Components: n, Manifests: -1, BaseLayers: []int64{}}
}

// mirrored returns the rule of one policy entry.
func mirrored(source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Pull: policy.PullDigest, Origin: "imagedigestmirrorset/" + source + "#1"}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

// override returns a pair of --registry-overrides.
func override(source, target string) policy.Rule {
	return policy.Rule{
		Kind: policy.KindRewrite, Source: source, Pull: policy.PullAny, Origin: "--registry-overrides#1",
		Mirrors: []policy.Mirror{{Location: target}},
	}
}

func newRules(t *testing.T, rules ...policy.Rule) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// binaries returns the chains of the binaries around p, as they are assembled there.
// Each has its caches to itself.
func binaries(t *testing.T, p *registry.Provider, rules *policy.Rules) map[string]*chain.Chain {
	t.Helper()
	current := func() *policy.Rules { return rules }
	follows := operator.TagsFollow(current)
	cpo := assembly.ControlPlaneOperator(assembly.Deps{}, nil)
	user := func() *chain.Chain { return newChain(t, p, follows, cpo.Layers) }
	return map[string]*chain.Chain{
		"mirrorchain":                             newChain(t, p, current, assembly.Mirrorchain(assembly.Deps{}).Layers),
		"hypershift-operator":                     newChain(t, p, follows, assembly.HypershiftOperator(assembly.Deps{}).Layers),
		"ignition-server":                         newChain(t, p, follows, assembly.IgnitionServer(assembly.Deps{}).Layers),
		"control-plane-operator of hosted nodes":  user(),
		"control-plane-operator of control plane": newChain(t, user(), follows, cpo.Rewrite),
	}
}

func newChain(t *testing.T, base provider.ReleaseProvider, current func() *policy.Rules, layers []chain.Layer) *chain.Chain {
	t.Helper()
	c, err := chain.New(base, current, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// operatorChain returns that of the hypershift-operator.
func operatorChain(t *testing.T, p *registry.Provider, rules *policy.Rules) *chain.Chain {
	t.Helper()
	return newChain(t, p, func() *policy.Rules { return rules }, assembly.HypershiftOperator(assembly.Deps{}).Layers)
}

// images reads any image through the rules.
func images(t *testing.T, p *registry.Provider, rules *policy.Rules) provider.ImageProvider {
	t.Helper()
	i, err := chain.Images(p, func() *policy.Rules { return rules }, chain.MirrorsConfig{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func byDigest(repository, digest string) provider.Request {
	return provider.Request{Image: imageref.MustParse(repository + "@" + digest), Platform: provider.Platform{OS: "linux", Architecture: "amd64"}}
}

func mustLookup(t *testing.T, p provider.ReleaseProvider, req provider.Request) *provider.Release {
	t.Helper()
	r, err := p.Lookup(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func credentials(t *testing.T, entries map[string]provider.Credential) provider.Credentials {
	t.Helper()
	c, err := provider.NewCredentials(entries)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tried says where a release was looked for, and how that ended.
func tried(r *provider.Release) string {
	var out []string
	for a := range r.Attempts() {
		s := a.Ref.Name()
		if a.Err != nil {
			s += " " + provider.ClassOf(a.Err).String()
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// text returns everything a release tells, so that two can be compared to the byte.
func text(r *provider.Release) string {
	return fmt.Sprintf("%s %s %s %s\n%s\n%+v", r.Image(), r.Digest(), r.Version(), r.Created(), r.BootImages(), slices.Collect(r.Components()))
}

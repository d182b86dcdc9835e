package node_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

const repo = "ocp/release"

var (
	amd   = testpayload.Must(testpayload.Release{Version: "4.99.0", Components: 2, Manifests: 1}.Image())
	arm   = testpayload.Must(testpayload.Release{Version: "4.99.0", Components: 2, Manifests: 1, Platform: provider.Platform{OS: "linux", Architecture: "arm64"}}.Image())
	index = testpayload.Index(false, arm, amd)
)

// world has two mirrors of one source, which policy forbids.
type world struct {
	a, b  *testregistry.Registry
	key   *ecdsa.PrivateKey
	rules *policy.Rules
	node  node.Node
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{a: start(t), b: start(t)}
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.rules, err = policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: "quay.io/ocp", Mirrors: []policy.Mirror{{Location: w.a.Host() + "/ocp"}, {Location: w.b.Host() + "/ocp"}}, NeverContactSource: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	roots := w.a.CA().Pool()
	roots.AppendCertsFromPEM(w.b.CA().PEM())
	base, err := registry.New(registry.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { base.Close() })
	der, err := x509.MarshalPKIXPublicKey(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var p sigstore.ImagePolicy
	text := fmt.Sprintf(`{"kind":"ClusterImagePolicy","metadata":{"name":"openshift"},"spec":{"scopes":["quay.io/ocp/release"],"policy":{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":%q}}}}}`,
		base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	policies, err := sigstore.NewPolicies(p)
	if err != nil {
		t.Fatal(err)
	}
	w.node = node.Node{Base: base, Policies: policies}
	return w
}

func start(t *testing.T) *testregistry.Registry {
	t.Helper()
	r, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// sign puts a signature of digest beside it.
func (w *world) sign(t *testing.T, r *testregistry.Registry, digest, identity string) {
	t.Helper()
	r.Push(repo, sigstore.Tag(digest), w.signature(t, digest, identity))
}

func (w *world) signature(t *testing.T, digest, identity string) testpayload.Image {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, identity, digest)
	sum := sha256.Sum256(payload)
	sig, err := w.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	layer := testpayload.NewBlob(sigstore.SignatureMediaType, payload)
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}
	return testpayload.Must(testpayload.Spec{Base: []testpayload.Blob{layer}}.Image())
}

func (w *world) request() provider.Request {
	return provider.Request{
		Image: imageref.MustParse("quay.io/ocp/release@" + index.Digest), Platform: provider.Platform{OS: "linux", Architecture: "amd64"}, Rules: w.rules,
	}
}

func show(w *world, all []node.Endpoint) string {
	var out []string
	for _, e := range all {
		name := "a"
		if e.Ref.Registry() == w.b.Host() {
			name = "b"
		}
		out = append(out, name+" "+e.Stage.String())
	}
	return strings.Join(out, ", ")
}

// What nodes were seen to do, see the package documentation.
func TestPull(t *testing.T) {
	const identity = "quay.io/ocp/release:4.99.0"
	for _, tt := range []struct {
		name    string
		prepare func(*testing.T, *world)
		want    string
		is      error
		hint    string
	}{
		{"no signature", func(*testing.T, *world) {}, "a signature", sigstore.ErrNoSignature, ""},
		{"of the list alone", func(t *testing.T, w *world) { w.sign(t, w.a, index.Digest, identity) }, "a signature", sigstore.ErrNoSignature, "only the list is signed"},
		{"of the instance", func(t *testing.T, w *world) { w.sign(t, w.a, amd.Digest, identity) }, "a done", nil, ""},
		{"of another instance", func(t *testing.T, w *world) { w.sign(t, w.a, arm.Digest, identity) }, "a signature", sigstore.ErrNoSignature, ""},
		{"on the second mirror", func(t *testing.T, w *world) { w.sign(t, w.b, amd.Digest, identity) }, "a signature", sigstore.ErrNoSignature, ""},
		{"of the mirror's name", func(t *testing.T, w *world) { w.sign(t, w.a, amd.Digest, "mirror.example.com/ocp/release:4.99.0") }, "a signature", sigstore.ErrRejected, ""},
		{"replayed", func(t *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), w.signature(t, arm.Digest, identity))
		}, "a signature", sigstore.ErrRejected, ""},
		{"first mirror has nothing", func(t *testing.T, w *world) { w.a.Remove(repo, index.Digest); w.sign(t, w.b, amd.Digest, identity) }, "a manifest, b done", nil, ""},
		{"first mirror is away", func(t *testing.T, w *world) { w.a.Down(); w.sign(t, w.b, amd.Digest, identity) }, "a manifest, b done", nil, ""},
		{"first mirror lacks the instance", func(t *testing.T, w *world) { w.a.Remove(repo, amd.Digest); w.sign(t, w.b, amd.Digest, identity) }, "a instance", provider.ErrNotFound, ""},
		{"signatures are not served", func(t *testing.T, w *world) {
			w.sign(t, w.a, amd.Digest, identity)
			w.a.Fail(testregistry.Match{Reference: sigstore.Tag(amd.Digest)}, testregistry.Status(503))
		}, "a signature", provider.ErrServer, ""},
		{"in the format of referrers", func(t *testing.T, w *world) {
			w.a.Push(repo, strings.TrimSuffix(sigstore.Tag(amd.Digest), ".sig"), testpayload.Index(false, amd))
		}, "a signature", sigstore.ErrNoSignature, "OCI referrers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			for _, r := range []*testregistry.Registry{w.a, w.b} {
				r.Push(repo, "", index)
			}
			tt.prepare(t, w)
			asked, err := w.node.Pull(t.Context(), w.request())
			if err != nil {
				t.Fatal(err)
			}
			last := asked[len(asked)-1]
			if got := show(w, asked); got != tt.want || !errors.Is(last.Err, tt.is) || tt.is == nil && last.Err != nil || !strings.Contains(last.Hint, tt.hint) || (last.Hint != "") != (tt.hint != "") {
				t.Errorf("got %s (%v, %q), want %s (%v)", got, last.Err, last.Hint, tt.want, tt.is)
			}
			if last.Stage == node.Done && (len(last.Accepted) != 1 || last.Accepted[0].Identity != identity || last.Instance != amd.Digest) {
				t.Errorf("got %+v", last)
			}
		})
	}
}

// One request for each of index, instance, signature's manifest and its payload.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	w.a.Push(repo, "", index)
	w.sign(t, w.a, amd.Digest, "quay.io/ocp/release:4.99.0")
	if _, err := w.node.Pull(t.Context(), w.request()); err != nil {
		t.Fatal(err)
	}
	if a, b := w.a.Count(), w.b.Count(); a != 4 || b != 0 {
		t.Errorf("%d and %d requests, want 4 and 0", a, b)
	}
}

func TestUnscopedNeedsNoSignature(t *testing.T) {
	w := newWorld(t)
	w.a.Push("ocp/other", "", amd)
	req := w.request()
	req.Image = imageref.MustParse("quay.io/ocp/other@" + amd.Digest)
	asked, err := w.node.Pull(t.Context(), req)
	if got := show(w, asked); err != nil || got != "a done" || asked[0].Scope != "" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestNobodyIsAsked(t *testing.T) {
	w := newWorld(t)
	blocked, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Blocked: []policy.Scope{{Name: "quay.io"}}})
	if err != nil {
		t.Fatal(err)
	}
	req := w.request()
	for want, change := range map[error]func(*provider.Request){
		policy.ErrNoImage:     func(r *provider.Request) { r.Image = imageref.Ref{} },
		provider.ErrNoRules:   func(r *provider.Request) { r.Rules = nil },
		provider.ErrForbidden: func(r *provider.Request) { r.Rules = blocked },
	} {
		r := req
		change(&r)
		if asked, err := w.node.Pull(t.Context(), r); !errors.Is(err, want) || asked != nil {
			t.Errorf("got %v, %v, want %v", asked, err, want)
		}
	}
}

package verifier_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/verifier"
	"github.com/mirrorchain/mirrorchain/internal/test/signing"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// The tests in this file go through real sockets, to two mirrors of one source.

const (
	repo     = "ocp/release"
	identity = "quay.io/ocp/release:4.99.0"
)

var (
	linux = provider.Platform{OS: "linux", Architecture: "amd64"}
	amd   = testpayload.Must(testpayload.Release{Version: "4.99.0", Components: 2, Manifests: 1}.Image())
	arm   = testpayload.Must(testpayload.Release{Version: "4.99.0", Components: 2, Manifests: 1, Platform: provider.Platform{OS: "linux", Architecture: "arm64"}}.Image())
	index = testpayload.Index(false, arm, amd)
)

type world struct {
	a, b     *testregistry.Registry
	base     *registry.Provider
	rules    *policy.Rules
	key      signing.Sigstore
	policies sigstore.Policies
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	start := func() *testregistry.Registry {
		r, err := testregistry.Start(testregistry.Config{CA: ca})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		r.Push(repo, "4.99.0", index)
		return r
	}
	w := &world{a: start(), b: start(), key: signing.NewSigstore(t)}
	w.rules, err = policy.NewRules(policy.RulesConfig{TagsFollowDigestRules: true}, policy.Policy{Rules: []policy.Rule{{
		Source: "quay.io/ocp", Mirrors: []policy.Mirror{{Location: w.a.Host() + "/ocp"}, {Location: w.b.Host() + "/ocp"}}, NeverContactSource: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if w.base, err = registry.New(registry.Config{RootCAs: ca.Pool()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.base.Close() })
	if w.policies, err = sigstore.NewPolicies(w.key.Policy(t, "quay.io/ocp/release")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) verifier(t *testing.T, cfg verifier.Config) *verifier.Verifier {
	t.Helper()
	if cfg.Content = w.base; cfg.Policies.ID() == "" {
		cfg.Policies = w.policies
	}
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *world) chain(t *testing.T, v provider.Verifier) *chain.Chain {
	t.Helper()
	c, err := chain.New(w.base, func() *policy.Rules { return w.rules }, chain.Default(chain.DefaultConfig{
		Verify:  chain.VerifyConfig{Current: func() provider.Verifier { return v }},
		Mirrors: chain.MirrorsConfig{Retries: -1, HedgeUnknown: time.Hour, HedgeKnown: time.Hour}, // no mirror is slow, only the machine
	})...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var byDigest = provider.Request{Image: imageref.MustParse("quay.io/ocp/release@" + index.Digest), Platform: linux}

func (w *world) sign(t *testing.T, r *testregistry.Registry) {
	t.Helper()
	r.Push(repo, sigstore.Tag(amd.Digest), w.key.Image(t, amd.Digest, identity))
}

// show lists attempts: the mirror, and the class of its error.
func (w *world) show(attempts []provider.Attempt) string {
	var out []string
	for _, a := range attempts {
		if provider.ClassOf(a.Err) == provider.ClassForbidden {
			continue // the source, which nobody asked
		}
		name := "a"
		if a.Ref.Registry() == w.b.Host() {
			name = "b"
		}
		if a.Err != nil {
			name += " " + provider.ClassOf(a.Err).String()
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func attemptsOf(r *provider.Release, err error) []provider.Attempt {
	if e, ok := errors.AsType[*chain.Error](err); ok {
		return e.Attempts
	}
	return slices.Collect(r.Attempts())
}

// A mirror that has the image and no good signature is refused in every mode but warn,
// whatever it says.
func TestHostileMirror(t *testing.T) {
	for name, hostile := range map[string]func(*testing.T, *world){
		"no signature": func(*testing.T, *world) {},
		"forged: another key": func(t *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), signing.NewSigstore(t).Image(t, amd.Digest, identity))
		},
		"forged: the signature of another document": func(t *testing.T, w *world) {
			good := w.key.Image(t, amd.Digest, identity)
			other := w.key.Image(t, amd.Digest, "quay.io/ocp/release:4.98.0")
			layer := other.Layers()[0]
			layer.Annotations = good.Layers()[0].Annotations
			w.a.Push(repo, sigstore.Tag(amd.Digest), testpayload.Must(testpayload.Spec{Base: []testpayload.Blob{layer}}.Image()))
		},
		"replayed: of another digest": func(t *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), w.key.Image(t, arm.Digest, identity))
		},
		"replayed: of another repository": func(t *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), w.key.Image(t, amd.Digest, "quay.io/ocp/other:4.99.0"))
		},
		"foreign: of the mirror's name": func(t *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), w.key.Image(t, amd.Digest, w.a.Host()+"/ocp/release:4.99.0"))
		},
		"foreign: no manifest of signatures": func(_ *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), amd)
		},
		"foreign: an index": func(_ *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(amd.Digest), index)
		},
		"of the index alone": func(t *testing.T, w *world) {
			w.a.Push(repo, sigstore.Tag(index.Digest), w.key.Image(t, index.Digest, identity))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, want := range map[verifier.Mode]struct {
				attempts string
				class    provider.Class
			}{
				verifier.Next: {"a signature, b", 0}, verifier.Node: {"a signature", provider.ClassSignature}, verifier.Warn: {"a", 0},
			} {
				w := newWorld(t)
				hostile(t, w)
				w.sign(t, w.b)
				c := w.chain(t, w.verifier(t, verifier.Config{Mode: mode}))
				r, err := c.Lookup(t.Context(), byDigest)
				if tried := w.show(attemptsOf(r, err)); tried != want.attempts || provider.ClassOf(err) != want.class {
					t.Errorf("%s: tried %q, and got %v", mode, tried, err)
				}
				if err != nil {
					continue
				}
				s := r.Signatures()
				if len(s.Checks) != 1 || s.Checks[0].Kind != provider.Sigstore || (s.Err() != nil) != (mode == verifier.Warn) {
					t.Errorf("%s: the release says %s", mode, s)
				}
				if mode == verifier.Next && (s.Checks[0].Signers[0].Identity != identity || !strings.Contains(s.String(), "clusterimagepolicy/openshift")) {
					t.Errorf("the release says %s", s)
				}
			}
		})
	}
}

// A signature that cannot be read is a failure of the attempt, of its own class.
func TestUnreadable(t *testing.T) {
	for mode, want := range map[verifier.Mode]string{verifier.Next: "a server, b", verifier.Node: "a server", verifier.Warn: "a"} {
		w := newWorld(t)
		w.sign(t, w.a)
		w.sign(t, w.b)
		w.a.Fail(testregistry.Match{Reference: sigstore.Tag(amd.Digest)}, testregistry.Status(503))
		r, err := w.chain(t, w.verifier(t, verifier.Config{Mode: mode})).Lookup(t.Context(), byDigest)
		if got := w.show(attemptsOf(r, err)); got != want {
			t.Errorf("%s: tried %q, want %q", mode, got, want)
		}
	}
}

// A cold lookup asks for one manifest and one blob more at each endpoint, a warm one
// nobody. What no policy covers costs nothing.
func TestRequests(t *testing.T) {
	counts := func(w *world) [2]int { return [2]int{w.a.Count(), w.b.Count()} }
	plain := newWorld(t)
	c, err := chain.New(plain.base, func() *policy.Rules { return plain.rules }, chain.Default(chain.DefaultConfig{})...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(t.Context(), byDigest); err != nil {
		t.Fatal(err)
	}
	without := counts(plain)[0]

	w := newWorld(t)
	w.sign(t, w.a)
	c = w.chain(t, w.verifier(t, verifier.Config{}))
	for range 3 {
		if _, err := c.Lookup(t.Context(), byDigest); err != nil {
			t.Fatal(err)
		}
		if got := counts(w); got != [2]int{without + 2, 0} {
			t.Fatalf("%v requests, want 2 more than %d at the first mirror", got, without)
		}
	}
	w = newWorld(t)
	w.sign(t, w.b)
	if _, err := w.chain(t, w.verifier(t, verifier.Config{})).Lookup(t.Context(), byDigest); err != nil {
		t.Fatal(err)
	}
	if got := counts(w); got[0] != without+1 || got[1] > without+2 {
		t.Errorf("%v requests, want %d at the first mirror, which has no signature, and %d at most at the second", got, without+1, without+2)
	}
	w = newWorld(t)
	w.policies, err = sigstore.NewPolicies(w.key.Policy(t, "quay.io/other"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.chain(t, w.verifier(t, verifier.Config{})).Lookup(t.Context(), byDigest)
	if err != nil || len(r.Signatures().Checks) != 0 || counts(w) != [2]int{without, 0} {
		t.Errorf("what no policy covers: %v, %v, %v requests", r, err, counts(w))
	}
}

// counted is a store that counts who asks.
type counted struct {
	verify.Store
	asked int
}

func (c *counted) Signatures(ctx context.Context, digest string) iter.Seq2[verify.Signature, error] {
	c.asked++
	return c.Store.Signatures(ctx, digest)
}

func gpgStore(name, digest string, signature []byte) *counted {
	return &counted{Store: verify.DirStore(name, fstest.MapFS{strings.Replace(digest, ":", "=", 1) + "/signature-1": {Data: signature}})}
}

func gpgTrust(t *testing.T, keys ...signing.GPG) verify.Trust {
	t.Helper()
	var all []verify.Keyring
	for i, k := range keys {
		ring, err := verify.ParseKeyring("keyring-"+string(rune('a'+i)), k.Public(t))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ring)
	}
	trust, err := verify.NewTrust(all...)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// The GPG signature is of the digest as asked for, and asked for once.
func TestGPG(t *testing.T) {
	ours, other := signing.NewGPG(t, "ours"), signing.NewGPG(t, "other")
	byTag := provider.Request{Image: imageref.MustParse("quay.io/ocp/release:4.99.0"), Platform: linux}
	ofInstance := provider.Request{Image: imageref.MustParse("quay.io/ocp/release@" + amd.Digest), Platform: linux}
	for _, tt := range []struct {
		name  string
		req   provider.Request
		mode  verifier.Mode
		keys  []signing.GPG
		store *counted
		class provider.Class
		tried string
	}{
		{"of the index", byDigest, "", []signing.GPG{ours}, gpgStore("s", index.Digest, ours.Sign(t, index.Digest, identity)), 0, "a"},
		{"of the index behind a tag", byTag, "", []signing.GPG{ours}, gpgStore("s", index.Digest, ours.Sign(t, index.Digest, identity)), 0, "a"},
		{"of the instance", ofInstance, "", []signing.GPG{ours}, gpgStore("s", amd.Digest, ours.Sign(t, amd.Digest, identity)), 0, "a"},
		{"of the instance where the index is named", byDigest, "", []signing.GPG{ours}, gpgStore("s", amd.Digest, ours.Sign(t, amd.Digest, identity)), provider.ClassSignature, "a signature"},
		{"of another key", byDigest, verifier.Next, []signing.GPG{ours}, gpgStore("s", index.Digest, other.Sign(t, index.Digest, identity)), provider.ClassSignature, "a signature"},
		{"of one of two keyrings", byDigest, verifier.Node, []signing.GPG{ours, other}, gpgStore("s", index.Digest, ours.Sign(t, index.Digest, identity)), provider.ClassSignature, "a signature"},
		{"replayed", byDigest, "", []signing.GPG{ours}, gpgStore("s", index.Digest, ours.Sign(t, amd.Digest, identity)), provider.ClassSignature, "a signature"},
		{"none, behind a tag", byTag, "", []signing.GPG{ours}, gpgStore("s", amd.Digest, nil), provider.ClassSignature, "a signature, b signature"},
		{"none, as a node", byTag, verifier.Node, []signing.GPG{ours}, gpgStore("s", amd.Digest, nil), provider.ClassSignature, "a signature"},
		{"none, warned of", byDigest, verifier.Warn, []signing.GPG{ours}, gpgStore("s", amd.Digest, nil), 0, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.sign(t, w.a)
			w.sign(t, w.b)
			c := w.chain(t, w.verifier(t, verifier.Config{Trust: gpgTrust(t, tt.keys...), Stores: []verify.Store{tt.store}, Mode: tt.mode}))
			r, err := c.Lookup(t.Context(), tt.req)
			if got := w.show(attemptsOf(r, err)); provider.ClassOf(err) != tt.class || got != tt.tried {
				t.Fatalf("tried %q, and got %v", got, err)
			}
			if err != nil {
				if !errors.Is(err, verify.ErrNoSignature) && !errors.Is(err, verify.ErrRejected) {
					t.Errorf("%v does not say why", err)
				}
				return
			}
			s := r.Signatures()
			if len(s.Checks) != 2 || s.Checks[0].Kind != provider.GPG || (s.Err() != nil) != (tt.mode == verifier.Warn) {
				t.Errorf("the release says %s", s)
			}
			if tt.mode == "" && (!strings.Contains(s.String(), "gpg signed by ") || !strings.Contains(s.String(), " ours on "+time.Now().UTC().Format("2006-"))) {
				t.Errorf("the release says %s", s)
			}
			if _, err := c.Lookup(t.Context(), tt.req); err != nil || tt.store.asked != 1 {
				t.Errorf("the store was asked %d times, %v", tt.store.asked, err)
			}
		})
	}
}

// A store that hangs ends with the caller, and is no failure of the mirror.
func TestHangingStore(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hangs.Close()
	u, err := url.Parse(hangs.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	v := w.verifier(t, verifier.Config{Trust: gpgTrust(t, signing.NewGPG(t, "ours")), Stores: []verify.Store{verify.HTTPStore(u, nil)}, Mode: verifier.Warn})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = v.Verify(ctx, byDigest, provider.Served{Image: byDigest.Image, Digest: amd.Digest, Named: index.Digest, Release: true})
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassTimeout || !e.Elsewhere || e.Final {
		t.Errorf("got %#v", err)
	}
}

// The ID says all that a verdict depends on.
func TestID(t *testing.T) {
	w := newWorld(t)
	key := signing.NewGPG(t, "ours")
	one, two := gpgStore("one", amd.Digest, nil), gpgStore("two", amd.Digest, nil)
	other, err := sigstore.NewPolicies(w.key.Policy(t, "quay.io/other"))
	if err != nil {
		t.Fatal(err)
	}
	own := w.key.Policy(t, "quay.io/own")
	own.Kind, own.Metadata.Namespace = "ImagePolicy", "ns"
	namespaced, err := sigstore.NewPolicies(w.key.Policy(t, "quay.io/ocp/release"), own)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{"": -1}
	all := []verifier.Config{
		{}, {Mode: verifier.Node}, {Mode: verifier.Warn}, {Policies: other}, {Policies: namespaced},
		{Trust: gpgTrust(t, key), Stores: []verify.Store{one}}, {Trust: gpgTrust(t, key), Stores: []verify.Store{two}},
		{Trust: gpgTrust(t, key), Stores: []verify.Store{one, two}}, {Trust: gpgTrust(t, signing.NewGPG(t, "ours")), Stores: []verify.Store{one}},
	}
	for i, cfg := range all {
		id := w.verifier(t, cfg).ID()
		if before, known := seen[id]; known {
			t.Errorf("%d and %d have the same ID", before, i)
		}
		seen[id] = i
		if w.verifier(t, cfg).ID() != id {
			t.Errorf("%d: made again it has another ID", i)
		}
	}
	v := w.verifier(t, verifier.Config{Policies: namespaced})
	if v.In("ns").ID() == v.ID() || v.In("other").ID() != v.ID() {
		t.Error("a namespace with a policy, and one without")
	}
}

func TestNew(t *testing.T) {
	w := newWorld(t)
	for what, cfg := range map[string]verifier.Config{
		"no provider": {}, "mode": {Content: w.base, Mode: "x"}, "no store": {Content: w.base, Trust: gpgTrust(t, signing.NewGPG(t, "x"))},
	} {
		if _, err := verifier.New(cfg); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A chain with a verifier is a provider like any other.
func TestConformance(t *testing.T) {
	providertest.TestReleaseProvider(t, providertest.Harness{New: func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
		base, err := registry.New(registry.Config{RootCAs: reg.CA().Pool()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { base.Close() })
		w := &world{base: base, key: signing.NewSigstore(t)}
		if w.rules, err = policy.NewRules(policy.RulesConfig{}); err != nil {
			t.Fatal(err)
		}
		// Nothing is signed there, and policies cover something else.
		if w.policies, err = sigstore.NewPolicies(w.key.Policy(t, "quay.io/other")); err != nil {
			t.Fatal(err)
		}
		return w.chain(t, w.verifier(t, verifier.Config{}))
	}})
}

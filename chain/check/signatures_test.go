package check_test

import (
	"context"
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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// signed is a registry with n images and their signatures.
type signed struct {
	*testregistry.Registry
	key       *ecdsa.PrivateKey
	policies  sigstore.Policies
	manifests []check.Manifest
}

func newSigned(tb testing.TB, n int) *signed {
	tb.Helper()
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(reg.Close)
	s := &signed{Registry: reg}
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		tb.Fatal(err)
	}
	s.policies = policiesOf(tb, s.key)
	for i := range n {
		digest := testpayload.Digest(fmt.Append(nil, i))
		s.sign(tb, digest, digest)
		s.manifests = append(s.manifests, check.Manifest{
			Name: fmt.Sprint("component-", i), Image: imageref.MustParse(source + "/ocp/art@" + digest), Digest: digest,
			At: policy.Candidate{Ref: imageref.MustParse(reg.Host() + "/mirror/art@" + digest), Mirror: true},
		})
	}
	return s
}

// policiesOf returns policies that cover the source, for a key, or for any one.
func policiesOf(tb testing.TB, key *ecdsa.PrivateKey) sigstore.Policies {
	tb.Helper()
	var err error
	if key == nil {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			tb.Fatal(err)
		}
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	p := sigstore.ImagePolicy{Kind: "ClusterImagePolicy"}
	text := fmt.Sprintf(`{"scopes":[%q],"policy":{"rootOfTrust":{"policyType":"PublicKey","publicKey":{"keyData":%q}}}}`,
		source+"/ocp", base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err := json.Unmarshal([]byte(text), &p.Spec); err != nil {
		tb.Fatal(err)
	}
	policies, err := sigstore.NewPolicies(p)
	if err != nil {
		tb.Fatal(err)
	}
	return policies
}

// sign puts a signature of one digest where that of another one is looked for.
func (s *signed) sign(tb testing.TB, digest, of string) {
	tb.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"%s/ocp/art:1"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, source, of)
	sum := sha256.Sum256(payload)
	sig, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	layer := testpayload.NewBlob(sigstore.SignatureMediaType, payload)
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)}
	s.Push("mirror/art", sigstore.Tag(digest), testpayload.Must(testpayload.Spec{Base: []testpayload.Blob{layer}}.Image()))
}

func (s *signed) run(tb testing.TB) []check.Signed {
	tb.Helper()
	p, err := registry.New(registry.Config{RootCAs: s.CA().Pool()})
	if err != nil {
		tb.Fatal(err)
	}
	defer p.Close()
	results, err := check.Signatures(tb.Context(), check.SignatureConfig{Node: node.Node{Base: p, Policies: s.policies}, Rules: new(policy.Rules)}, s.manifests)
	if err != nil {
		tb.Fatal(err)
	}
	return results
}

// A manifest and a blob for each image that is covered, and nothing for others.
func TestSignatureRequests(t *testing.T) {
	s := newSigned(t, 190)
	s.manifests = append(s.manifests, check.Manifest{Image: imageref.MustParse("other.example.com/a@" + s.manifests[0].Digest), At: s.manifests[0].At, Digest: s.manifests[0].Digest})
	results := s.run(t)
	for i, r := range results {
		covered := i < 190
		if r.Err != nil || covered != (r.Scope != "") || covered != (len(r.Accepted) == 1) || r.Name != s.manifests[i].Name {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if n := s.Count(); n != 2*190 {
		t.Errorf("%d requests, want %d", n, 2*190)
	}
}

// What is missing costs one request. What is wrong is the signature's fault alone.
func TestSignatureVerdicts(t *testing.T) {
	s := newSigned(t, 4)
	s.Remove("mirror/art", sigstore.Tag(s.manifests[0].Digest))
	s.sign(t, s.manifests[1].Digest, s.manifests[2].Digest)
	s.Fail(testregistry.Match{Reference: sigstore.Tag(s.manifests[2].Digest)}, testregistry.Status(403))
	results := s.run(t)
	for i, want := range []error{sigstore.ErrNoSignature, sigstore.ErrRejected, provider.ErrUnauthorized, nil} {
		if err := results[i].Err; !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%d: %v, want %v", i, err, want)
		}
	}
}

// A registry that is busy gets its time, and no more requests at once than are allowed.
func TestSignaturesWithinTheLimit(t *testing.T) {
	policies := policiesOf(t, nil)
	var all []check.Manifest
	for i := range 64 {
		digest := testpayload.Digest(fmt.Append(nil, i))
		all = append(all, check.Manifest{
			Image: imageref.MustParse(source + "/ocp/art@" + digest), Digest: digest, At: policy.Candidate{Ref: imageref.MustParse("mirror.example.com/art@" + digest)},
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var now, most, asked atomic.Int64
		base := provider.ContentFunc(func(ctx context.Context, req provider.Request) (provider.Content, error) {
			n := now.Add(1)
			defer now.Add(-1)
			most.Store(max(most.Load(), n))
			time.Sleep(10 * time.Millisecond)
			if asked.Add(1) == 20 {
				return nil, &provider.Error{Class: provider.ClassThrottled, RetryAfter: 2 * time.Second}
			}
			return nil, &provider.Error{Class: provider.ClassNotFound}
		})
		start := time.Now()
		results, err := check.Signatures(t.Context(), check.SignatureConfig{Node: node.Node{Base: base, Policies: policies}, Rules: new(policy.Rules)}, all)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if !errors.Is(r.Err, sigstore.ErrNoSignature) {
				t.Error(r.Err)
			}
		}
		if took := time.Since(start); most.Load() != 16 || asked.Load() != 65 || took < 2*time.Second || took > 3*time.Second {
			t.Errorf("%d at once, %d in all, %s", most.Load(), asked.Load(), took)
		}
	})
}

// After ctx ends nobody is asked any more.
func TestSignaturesEnd(t *testing.T) {
	s := newSigned(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := registry.New(registry.Config{RootCAs: s.CA().Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	results, err := check.Signatures(ctx, check.SignatureConfig{Node: node.Node{Base: p, Policies: s.policies}, Rules: new(policy.Rules)}, s.manifests)
	if !errors.Is(err, context.Canceled) || len(results) != 3 || results[2].Err == nil || s.Count() != 0 {
		t.Errorf("%v, %+v, %d requests", err, results, s.Count())
	}
	if _, err := check.Signatures(t.Context(), check.SignatureConfig{}, nil); err == nil {
		t.Error("without a registry")
	}
}

// BenchmarkSignatures asks for the signatures of 190 images at a registry that takes 20 ms
// for an answer, 16 at once. "ratio" is to the time of 380/16 answers.
func BenchmarkSignatures(b *testing.B) {
	const latency = 20 * time.Millisecond
	s := newSigned(b, 190)
	s.SetLatency(latency)
	b.ReportAllocs()
	for b.Loop() {
		for _, r := range s.run(b) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
	}
	answers := float64(b.Elapsed()) / float64(b.N) / float64(latency)
	b.ReportMetric(answers, "answers/op")
	b.ReportMetric(answers/(380.0/16), "ratio")
	b.ReportMetric(float64(s.Count())/float64(b.N), "requests/op")
}

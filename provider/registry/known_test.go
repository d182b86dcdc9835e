package registry_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

var (
	old = testpayload.Must(testpayload.Release{Version: "4.17.1", Components: 3, Manifests: 3}.Image())
	arm = testpayload.Must(testpayload.Release{
		Version: "4.17.1", Components: 3, Manifests: 3, Platform: provider.Platform{OS: "linux", Architecture: "arm64"},
	}.Image())
	moved = testpayload.Must(testpayload.Release{Version: "4.17.2", Components: 3, Manifests: 3}.Image())
)

// A tag, or an index, that is as it was costs one request and not a byte of a body.
func TestOpenKnown(t *testing.T) {
	for name, img := range map[string]testpayload.Image{"manifest": old, "index": testpayload.Index(false, arm, old)} {
		t.Run(name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			reg.Push(repo, "v", img)
			p := open(t, reg)
			for _, ref := range []provider.Request{request(reg.ByTag(repo, "v")), request(reg.ByDigest(repo, img.Digest))} {
				first, err := p.Open(t.Context(), ref, "")
				if err != nil {
					t.Fatal(err)
				}
				if first.Named() != img.Digest || first.Digest() != old.Digest {
					t.Errorf("named %s, digest %s; want %s, %s", first.Named(), first.Digest(), img.Digest, old.Digest)
				}
				reg.ResetLog()
				same, err := p.Open(t.Context(), ref, first.Named())
				if same != nil || err != nil {
					t.Fatalf("%v, %v; want neither", same, err)
				}
				if n, b := reg.Count(), reg.Bytes(); n != 1 || b != 0 {
					t.Errorf("%d requests, %d bytes; want 1, 0", n, b)
				}
			}

			reg.Push(repo, "v", moved)
			reg.ResetLog()
			now, err := p.Open(t.Context(), request(reg.ByTag(repo, "v")), img.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if now == nil || now.Digest() != moved.Digest || reg.Count() != 1 {
				t.Errorf("%v after %d requests; want %s after 1", now, reg.Count(), moved.Digest)
			}
			reg.Remove(repo, "v")
			if _, err := p.Open(t.Context(), request(reg.ByTag(repo, "v")), moved.Digest); !errors.Is(err, provider.ErrNotFound) {
				t.Errorf("a tag that is gone: %v; want ErrNotFound", err)
			}
		})
	}
}

// Registries that do not know the question, or answer another one.
func TestOpenKnownElsewhere(t *testing.T) {
	conditional := testregistry.Match{Kind: testregistry.Manifest, If: func(q testregistry.Request) bool { return q.Header.Get("If-None-Match") != "" }}
	for name, tt := range map[string]struct {
		answer   testregistry.Action
		requests int
		want     error
	}{
		"304 for something else": {testregistry.SetHeader("Docker-Content-Digest", moved.Digest), 2, nil},
		"access withdrawn":       {testregistry.Status(http.StatusForbidden), 1, provider.ErrUnauthorized},
		"gone":                   {testregistry.Status(http.StatusNotFound), 1, provider.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			reg.Push(repo, "v", old)
			reg.Fail(conditional, tt.answer)
			p := open(t, reg)
			o, err := p.Open(t.Context(), request(reg.ByTag(repo, "v")), old.Digest)
			if !errors.Is(err, tt.want) || reg.Count() != tt.requests {
				t.Fatalf("%v after %d requests; want %v after %d", err, reg.Count(), tt.want, tt.requests)
			}
			if err == nil && (o == nil || o.Digest() != old.Digest) {
				t.Errorf("opened %v; want the manifest", o)
			}
		})
	}
}

// Where the question is not understood the answer is that of Open.
func TestOpenKnownUnconditional(t *testing.T) {
	reg := start(t, testregistry.Config{Unconditional: true})
	reg.Push(repo, "v", old)
	o, err := open(t, reg).Open(t.Context(), request(reg.ByTag(repo, "v")), old.Digest)
	if err != nil || o == nil || o.Digest() != old.Digest || reg.Count() != 1 {
		t.Errorf("%v, %v after %d requests; want the manifest after one", o, err, reg.Count())
	}
}

// Nobody asked, nobody may say that nothing changed.
func TestUnaskedNotModified(t *testing.T) {
	reg := start(t, testregistry.Config{})
	reg.Push(repo, "v", old)
	reg.Fail(manifests, testregistry.Status(http.StatusNotModified))
	if r, err := open(t, reg).Lookup(t.Context(), request(reg.ByTag(repo, "v"))); err == nil {
		t.Errorf("a release of nothing: %v", r)
	}
}

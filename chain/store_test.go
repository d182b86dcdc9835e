package chain_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// opener is a fake base that can look up in two halves. Who may read what, and
// what is where, its functions decide.
type opener struct {
	// open is the manifest of a reference: its digest and platform.
	open func(ctx context.Context, req provider.Request) (string, provider.Platform, error)
	// read is the rest.
	read func(ctx context.Context, req provider.Request) error

	mu                  sync.Mutex
	opens, reads, whole int
}

type opened struct {
	*opener
	req      provider.Request
	digest   string
	platform provider.Platform
}

func (o *opener) Lookup(context.Context, provider.Request) (*provider.Release, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.whole++
	return nil, errors.New("looked up as a whole")
}

func (o *opener) Open(ctx context.Context, req provider.Request, _ string) (provider.Opened, error) {
	o.mu.Lock()
	o.opens++
	o.mu.Unlock()
	digest, platform, err := o.open(ctx, req)
	if err != nil {
		return nil, err
	}
	return &opened{o, req, digest, platform}, nil
}

func (o *opened) Digest() string              { return o.digest }
func (o *opened) Platform() provider.Platform { return o.platform }
func (o *opened) Named() string               { return o.digest }

func (o *opened) IndexPlatforms() []provider.Platform { return nil }

func (o *opened) Release(ctx context.Context) (*provider.Release, error) {
	o.mu.Lock()
	o.reads++
	o.mu.Unlock()
	if o.read != nil {
		if err := o.read(ctx, o.req); err != nil {
			return nil, err
		}
	}
	return provider.NewRelease(provider.ReleaseData{
		Image: o.req.Image, Version: "4.17.3", Digest: o.digest, Platform: o.platform,
	})
}

func (o *opener) want(t *testing.T, what string, opens, reads int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.opens != opens || o.reads != reads || o.whole != 0 {
		t.Errorf("%s: %d manifests, %d contents read, %d looked up as a whole; want %d, %d, 0", what, o.opens, o.reads, o.whole, opens, reads)
	}
}

// byDigest opens what the reference says; a tag is the digest.
func byDigest(_ context.Context, req provider.Request) (string, provider.Platform, error) {
	return digest, provider.Platform{}, nil
}

func tenant(t testing.TB, host, user string) provider.Credentials {
	t.Helper()
	c, err := provider.NewCredentials(map[string]provider.Credential{
		host: provider.NewCredential(user, "x"), "elsewhere.example": provider.NewCredential("e"+user, "x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func storeOver(t testing.TB, base provider.ReleaseProvider, cfg chain.StoreConfig) *chain.Chain {
	t.Helper()
	return newChain(t, base, newRules(t), chain.Store(cfg))
}

func TestStoreGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &opener{open: byDigest}
		s := storeOver(t, base, chain.StoreConfig{})
		one, two := tenant(t, "quay.io", "one"), tenant(t, "quay.io", "two")
		moved := mustParse(t, mirrorA+"@"+digest)

		lookup(t, s, provider.Request{Image: image, Credentials: one})
		base.want(t, "first", 1, 1)
		r := lookup(t, s, provider.Request{Image: image, Credentials: one})
		base.want(t, "granted", 1, 1)
		if r.Image() != image || r.PulledFrom() != image {
			t.Errorf("image %s, pulled from %s", r.Image(), r.PulledFrom())
		}
		lookup(t, s, provider.Request{Image: image, Credentials: two})
		base.want(t, "another credential", 2, 1)
		lookup(t, s, provider.Request{Image: image})
		base.want(t, "none", 3, 1)
		lookup(t, s, provider.Request{Image: moved, Credentials: one})
		base.want(t, "another repository", 4, 1)
		lookup(t, s, provider.Request{Image: image, Credentials: one, Insecure: true})
		base.want(t, "another kind of endpoint", 5, 1)

		time.Sleep(10*time.Minute - time.Millisecond)
		lookup(t, s, provider.Request{Image: image, Credentials: one})
		base.want(t, "just before the grant expires", 5, 1)
		time.Sleep(time.Millisecond)
		lookup(t, s, provider.Request{Image: image, Credentials: one})
		base.want(t, "when it has", 6, 1)
	})
}

// Rotating another registry's entry of a pull secret asks nobody anything.
func TestStoreGrantIsOfOneEntry(t *testing.T) {
	base := &opener{open: byDigest}
	s := storeOver(t, base, chain.StoreConfig{})
	for i := range 3 {
		c, err := provider.NewCredentials(map[string]provider.Credential{
			"quay.io": provider.NewCredential("u", "p"), "elsewhere.example": provider.NewCredential("u", fmt.Sprint(i)),
		})
		if err != nil {
			t.Fatal(err)
		}
		lookup(t, s, provider.Request{Image: image, Credentials: c})
	}
	base.want(t, "after rotation elsewhere", 1, 1)
}

// One tenant never reads what another's pull secret paid for.
func TestStoreTenants(t *testing.T) {
	denied := &provider.Error{Class: provider.ClassUnauthorized}
	swapped := "sha256:" + strings.Repeat("b", 64)
	only := func(user string) func(context.Context, provider.Request) (string, provider.Platform, error) {
		return func(_ context.Context, req provider.Request) (string, provider.Platform, error) {
			cred, _ := req.Credentials.For(req.Image)
			if name, _, _ := cred.Basic(); name != user {
				return "", provider.Platform{}, denied
			}
			return digest, provider.Platform{}, nil
		}
	}
	for name, tt := range map[string]struct {
		paid, free provider.Request
		open       func(context.Context, provider.Request) (string, provider.Platform, error)
		want       error
	}{
		"another credential": {
			provider.Request{Image: image, Credentials: tenant(t, "quay.io", "one")},
			provider.Request{Image: image, Credentials: tenant(t, "quay.io", "two")}, only("one"), provider.ErrUnauthorized,
		},
		"no credential": {
			provider.Request{Image: image, Credentials: tenant(t, "quay.io", "one")},
			provider.Request{Image: image}, only("one"), provider.ErrUnauthorized,
		},
		"a credential for another registry": {
			provider.Request{Image: image, Credentials: tenant(t, "quay.io", "one")},
			provider.Request{Image: image, Credentials: tenant(t, "a.example", "one")}, only("one"), provider.ErrUnauthorized,
		},
		"a tag of the same": {
			provider.Request{Image: tagged, Credentials: tenant(t, "quay.io", "one")},
			provider.Request{Image: tagged, Credentials: tenant(t, "quay.io", "two")}, only("one"), provider.ErrUnauthorized,
		},
		"a digest that was read by tag": {
			provider.Request{Image: tagged, Credentials: tenant(t, "quay.io", "one")},
			provider.Request{Image: image, Credentials: tenant(t, "quay.io", "two")}, only("one"), provider.ErrUnauthorized,
		},
		"an endpoint of one's own that shows another manifest": {
			provider.Request{Image: image, Credentials: tenant(t, "quay.io", "one")},
			provider.Request{Image: mustParse(t, "mine.example/x@"+digest)},
			func(ctx context.Context, req provider.Request) (string, provider.Platform, error) {
				if req.Image.Registry() == "mine.example" {
					return swapped, provider.Platform{}, nil
				}
				return digest, provider.Platform{}, nil
			}, provider.ErrDigest,
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := &opener{open: tt.open}
			s := storeOver(t, base, chain.StoreConfig{})
			lookup(t, s, tt.paid)
			reads := base.reads
			for range 2 { // asking again grants no more
				r, err := s.Lookup(t.Context(), tt.free)
				if !errors.Is(err, tt.want) || r != nil {
					t.Errorf("Lookup = %v, %v; want %v", r, err, tt.want)
				}
			}
			base.want(t, "both", 3, reads)
		})
	}
}

// Tags are asked for each time; what they lead to is read once.
func TestStoreTags(t *testing.T) {
	base := &opener{open: byDigest}
	s := storeOver(t, base, chain.StoreConfig{})
	for range 3 {
		if r := lookup(t, s, provider.Request{Image: tagged}); r.Digest() != digest || r.Image() != tagged {
			t.Errorf("digest %s, image %s", r.Digest(), r.Image())
		}
	}
	base.want(t, "a tag three times", 3, 1)
	lookup(t, s, provider.Request{Image: image})
	base.want(t, "the digest that was read by tag", 3, 1)
}

// An index leads to a platform's manifest, whose content is what is held.
func TestStoreIndex(t *testing.T) {
	index := mustParse(t, source+"@sha256:"+strings.Repeat("e", 64))
	amd, arm := provider.Platform{OS: "linux", Architecture: "amd64"}, provider.Platform{OS: "linux", Architecture: "arm64"}
	children := map[provider.Platform]string{amd: digest, arm: "sha256:" + strings.Repeat("b", 64)}
	base := &opener{open: func(_ context.Context, req provider.Request) (string, provider.Platform, error) {
		if req.Image.Digest() != index.Digest() {
			return req.Image.Digest(), provider.Platform{}, nil
		}
		if c, _ := req.Credentials.For(req.Image); c.ID() != tenantID(t, req) {
			return "", provider.Platform{}, &provider.Error{Class: provider.ClassUnauthorized}
		}
		return children[req.Platform.OrDefault()], req.Platform.OrDefault(), nil
	}}
	s := storeOver(t, base, chain.StoreConfig{})
	one := tenant(t, "quay.io", "one")
	for range 2 {
		for _, p := range []provider.Platform{amd, arm} {
			r := lookup(t, s, provider.Request{Image: index, Platform: p, Credentials: one})
			if r.Digest() != children[p] || r.Platform() != p {
				t.Errorf("%s: digest %s, platform %s", p, r.Digest(), r.Platform())
			}
		}
	}
	base.want(t, "two platforms, twice", 2, 2)
	// To have read the index as one platform says nothing about another tenant.
	if _, err := s.Lookup(t.Context(), provider.Request{Image: index, Platform: arm, Credentials: tenant(t, "quay.io", "two")}); !errors.Is(err, provider.ErrUnauthorized) {
		t.Errorf("another tenant got %v; want ErrUnauthorized", err)
	}
}

// A tag may be an index: that says which platform was chosen, the digest does not.
func TestStoreIndexByTag(t *testing.T) {
	base := &opener{open: func(_ context.Context, req provider.Request) (string, provider.Platform, error) {
		if req.Image.Digest() == "" {
			return digest, req.Platform.OrDefault(), nil
		}
		return digest, provider.Platform{}, nil
	}}
	s := storeOver(t, base, chain.StoreConfig{})
	for range 2 {
		if r := lookup(t, s, provider.Request{Image: tagged}); r.Platform() != (provider.Platform{}).OrDefault() {
			t.Errorf("by tag: platform %q", r.Platform())
		}
		if r := lookup(t, s, provider.Request{Image: image}); !r.Platform().IsZero() {
			t.Errorf("by digest: platform %q; want none", r.Platform())
		}
	}
}

// tenantID returns the credential that may read the index.
func tenantID(t testing.TB, req provider.Request) string {
	c, _ := tenant(t, "quay.io", "one").For(req.Image)
	return c.ID()
}

// P8, without sockets: one content, one manifest each.
func TestStoreThousandTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &opener{open: byDigest, read: func(ctx context.Context, _ provider.Request) error {
			if ctx.Value(callerKey{}) != nil {
				t.Error("the reading's context holds a caller's value")
			}
			time.Sleep(time.Second)
			return nil
		}}
		s := storeOver(t, base, chain.StoreConfig{})
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				ctx := context.WithValue(t.Context(), callerKey{}, i)
				if _, err := s.Lookup(ctx, provider.Request{Image: image, Credentials: tenant(t, "quay.io", fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		base.want(t, "a thousand tenants", 1000, 1)
	})
}

// What the rules of one caller forbid on the way is not forbidden by another's.
func TestStoreReadsUnderRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict, lenient := newRules(t), newRules(t, mirrored("other.example", "mirror.example"))
		base := &opener{open: byDigest, read: func(_ context.Context, req provider.Request) error {
			time.Sleep(time.Second)
			if req.Rules.Version() == strict.Version() {
				return &provider.Error{Class: provider.ClassForbidden}
			}
			return nil
		}}
		s := storeOver(t, base, chain.StoreConfig{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Lookup(t.Context(), provider.Request{Image: image, Rules: strict}); !errors.Is(err, provider.ErrForbidden) {
				t.Errorf("%v; want ErrForbidden", err)
			}
		})
		synctest.Wait()
		wg.Go(func() { lookup(t, s, provider.Request{Image: image, Rules: lenient}) })
		wg.Wait()
	})
}

func TestStoreIsBounded(t *testing.T) {
	base := &opener{open: func(_ context.Context, req provider.Request) (string, provider.Platform, error) {
		return req.Image.Digest(), provider.Platform{}, nil
	}}
	s := storeOver(t, base, chain.StoreConfig{MaxBytes: -1})
	lookup(t, s, provider.Request{Image: image})
	lookup(t, s, provider.Request{Image: image})
	base.want(t, "without room", 2, 2)
}

func TestStoreReports(t *testing.T) {
	var seen events
	c := newChain(t, &opener{open: byDigest}, newRules(t),
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&seen}}), chain.Store(chain.StoreConfig{}))
	lookup(t, c, provider.Request{Image: image})
	lookup(t, c, provider.Request{Image: image})
	wantList(t, "events", seen.kinds(), "lookup-started", "store-miss", "lookup-done", "lookup-started", "store-hit", "lookup-done")
}

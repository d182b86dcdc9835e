package chain_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// P6: different releases do not wait for each other.
func TestDifferentReleasesAtOnce(t *testing.T) {
	s := newSite(t, smallRelease(3))
	const n = 20
	var refs []imageref.Ref
	for i := range n {
		refs = append(refs, s.source.ByDigest(repo, s.mirror.Push(repo, "", smallRelease(100+i))))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	atManifests, atBlobs := s.mirror.Barrier(n, manifests), s.mirror.Barrier(n, blobs)
	slow := time.AfterFunc(30*time.Second, func() { atManifests.Release(); atBlobs.Release() })
	defer slow.Stop()
	c := s.chain(t, s.rules)
	var wg sync.WaitGroup
	for _, ref := range refs {
		wg.Go(func() {
			if _, err := c.Lookup(ctx, s.request(ref)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if !slow.Stop() {
		t.Error("the barriers were never full: lookups wait for each other")
	}
	if m, b := s.mirror.Count(manifests), s.mirror.Count(blobs); m != n || b != n {
		t.Errorf("%d manifests, %d layers; want %d of each", m, b, n)
	}
}

// P7: a thousand callers of one release are the requests of one.
func TestThousandCallersOverTheWire(t *testing.T) {
	s := newSite(t, smallRelease(3))
	hold := s.mirror.Barrier(2, blobs) // one is ever asked for: until we let it
	c := s.chain(t, s.rules)
	hasty, leave := context.WithCancel(t.Context())
	defer leave()
	var wg, remaining sync.WaitGroup
	var gone atomic.Int64
	for i := range 1000 {
		ctx := t.Context()
		if i%2 == 0 {
			ctx = hasty
			remaining.Add(1)
		}
		wg.Go(func() {
			r, err := c.Lookup(ctx, s.request(s.tag))
			if ctx == hasty {
				defer remaining.Done()
				if !errors.Is(err, context.Canceled) {
					t.Errorf("a caller that gave up: %v", err)
				}
				gone.Add(1)
				return
			}
			if err != nil || r.Image() != s.tag {
				t.Error(err)
			}
		})
	}
	if err := s.mirror.Wait(t.Context(), 1, blobs); err != nil {
		t.Fatal(err)
	}
	leave()
	remaining.Wait()
	hold.Release()
	wg.Wait()
	if m, b := s.mirror.Count(manifests), s.mirror.Count(blobs); m != 1 || b != 1 || gone.Load() != 500 {
		t.Errorf("%d manifests, %d layers for 1,000 callers of which %d left; want 1, 1, 500", m, b, gone.Load())
	}
}

// P8: a thousand tenants with credentials of their own: the layer once, one grant
// each; and none for a tenant without the right.
func TestThousandTenantsOverTheWire(t *testing.T) {
	const tenants = 1000
	var auth testregistry.Auth
	auth.Scheme = testregistry.Basic
	for i := range tenants {
		auth.Users = append(auth.Users, testregistry.User{Name: fmt.Sprint("tenant", i), Password: "tenant-password"})
	}
	auth.Users = append(auth.Users, testregistry.User{Name: "poor", Password: "tenant-password", Repositories: []string{"other"}})
	s := newSite(t, smallRelease(3), func(c *testregistry.Config, r *policy.Rule) { c.Auth, r.NeverContactSource = auth, true })
	c := s.chain(t, s.rules)
	as := func(user string) provider.Request {
		creds, err := provider.NewCredentials(map[string]provider.Credential{s.mirror.Host(): provider.NewCredential(user, "tenant-password")})
		if err != nil {
			t.Fatal(err)
		}
		req := s.request(s.digest)
		req.Credentials = creds
		return req
	}
	run := func(n int) {
		var wg sync.WaitGroup
		var failed sync.Once
		// So many at once that they share the reading, and so few that the limit of an
		// attempt is not the time that this machine takes for all of them.
		slots := make(chan struct{}, 100)
		for i := range n {
			req := as(fmt.Sprint("tenant", i))
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				if _, err := c.Lookup(t.Context(), req); err != nil {
					failed.Do(func() { t.Error(err) })
				}
			})
		}
		wg.Wait()
	}
	run(tenants)
	run(tenants) // all of them have grants
	if m, b := s.mirror.Count(manifests), s.mirror.Count(blobs); m != tenants || b != 1 {
		t.Errorf("%d manifests, %d layers for %d tenants; want one each, and one layer", m, b, tenants)
	}
	for _, user := range []string{"poor", "unknown"} {
		if r, err := c.Lookup(t.Context(), as(user)); !errors.Is(err, provider.ErrUnauthorized) {
			t.Errorf("%s: %v, %v; want ErrUnauthorized", user, r, err)
		}
	}
	if r, err := c.Lookup(t.Context(), s.request(s.digest)); !errors.Is(err, provider.ErrUnauthorized) {
		t.Errorf("nobody: %v, %v; want ErrUnauthorized", r, err)
	}
}

// A new mapping of the same digest costs one small request: the content is held.
func TestNewMappingOverTheWire(t *testing.T) {
	s := newSite(t, smallRelease(3))
	var current atomic.Pointer[policy.Rules]
	current.Store(s.rules)
	c := fullChain(t, s.registry, current.Load)
	if _, err := c.Lookup(t.Context(), s.request(s.digest)); err != nil {
		t.Fatal(err)
	}
	current.Store(newRules(t))
	r, err := c.Lookup(t.Context(), s.request(s.digest))
	if err != nil {
		t.Fatal(err)
	}
	if m, b := s.source.Count(manifests), s.source.Count(blobs); m != 1 || b != 0 || r.PulledFrom() != s.digest {
		t.Errorf("%d manifests, %d layers from the source, pulled from %s; want 1, 0", m, b, r.PulledFrom())
	}
}

// What the whole chain asks for, cold: P3 through the mirror.
func TestColdRequests(t *testing.T) {
	s := newSite(t, testpayload.Index(false, smallRelease(3)))
	c := s.chain(t, s.rules)
	for range 3 {
		if _, err := c.Lookup(t.Context(), s.request(s.tag)); err != nil {
			t.Fatal(err)
		}
	}
	if n, h := s.mirror.Count(), s.mirror.Main().Stats().Handshakes; n != 3 || h != 1 || s.source.Count() != 0 {
		t.Errorf("%d requests, %d handshakes, %d requests to the source; want 3, 1, 0", n, h, s.source.Count())
	}
}

package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The tests in this file go through real sockets, to registries that fail.

const repo = "ocp/release"

var (
	manifests = testregistry.Match{Kind: testregistry.Manifest}
	blobs     = testregistry.Match{Kind: testregistry.Blob}
	linux     = provider.Platform{OS: "linux", Architecture: "amd64"}
)

// site is a source and a mirror of it, and a provider that trusts both.
type site struct {
	source, mirror *testregistry.Registry
	registry       *registry.Provider
	rules          *policy.Rules
	image          testpayload.Image
	digest, tag    imageref.Ref // at the source
}

// smallRelease returns a release whose layers are small; n tells several apart.
func smallRelease(n int) testpayload.Image {
	return testpayload.Must(testpayload.Release{
		Version: fmt.Sprintf("4.17.%d", n), Components: 5, Manifests: 5, BaseLayers: []int64{1000},
	}.Image())
}

func newSite(t testing.TB, img testpayload.Image, change ...func(*testregistry.Config, *policy.Rule)) *site {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	cfg, rule := testregistry.Config{CA: ca}, mirrored("")
	for _, c := range change {
		c(&cfg, &rule)
	}
	start := func() *testregistry.Registry {
		r, err := testregistry.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		r.Push(repo, "4.17.3", img)
		return r
	}
	s := &site{source: start(), mirror: start(), image: img}
	s.digest, s.tag = s.source.ByDigest(repo, img.Digest), s.source.ByTag(repo, "4.17.3")
	rule.Source = s.source.Host() + "/" + repo
	rule.Mirrors = []policy.Mirror{{Location: s.mirror.Host() + "/" + repo}}
	s.rules = newRules(t, rule)
	s.registry = s.provider(t, registry.Timeouts{Connect: time.Minute, FirstByte: time.Minute, Silence: time.Minute})
	return s
}

// provider trusts the site, and waits as long as limits say.
func (s *site) provider(t testing.TB, limits registry.Timeouts) *registry.Provider {
	t.Helper()
	p, err := registry.New(registry.Config{RootCAs: s.mirror.CA().Pool(), Timeouts: limits, Dial: dialer(t)})
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

// shortTimeouts is for endpoints that hang. longTimeouts is for those that answer, however
// busy the machine is.
var (
	shortTimeouts = registry.Timeouts{Connect: time.Second, FirstByte: time.Second, Silence: time.Second}
	longTimeouts  = registry.Timeouts{Connect: time.Minute, FirstByte: time.Minute, Silence: time.Minute}
)

// timeoutsFor returns the limits with which an endpoint is found to fail with class, and
// with no other.
func timeoutsFor(class provider.Class) registry.Timeouts {
	if class == provider.ClassTimeout {
		return shortTimeouts
	}
	return longTimeouts
}

// dialer knows no names: what is not on loopback does not resolve.
func dialer(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	var d net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			t.Error(err)
		}
		if net.ParseIP(host) == nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
		}
		return d.DialContext(ctx, network, addr)
	}
}

func (s *site) chain(t testing.TB, rules *policy.Rules) *chain.Chain {
	t.Helper()
	return fullChain(t, s.registry, always(rules))
}

func (s *site) request(ref imageref.Ref) provider.Request {
	return provider.Request{Image: ref, Platform: linux}
}

// faults are what can go wrong with a mirror, R1 to R5, and the class it has.
func faultsOf(s *site) map[string]struct {
	class provider.Class
	cause func()
} {
	m := s.mirror
	fail := func(match testregistry.Match, a testregistry.Action) func() { return func() { m.Fail(match, a) } }
	certificate := func(k testregistry.CertificateKind) func() { return func() { m.Main().SetCertificate(k) } }
	other := smallRelease(99)
	type fault = struct {
		class provider.Class
		cause func()
	}
	all := map[string]fault{
		// R1
		"refused":           {provider.ClassUnreachable, m.Down},
		"reset":             {provider.ClassUnreachable, fail(manifests, testregistry.Reset())},
		"unknown authority": {provider.ClassTLS, certificate(testregistry.UnknownAuthority)},
		"expired":           {provider.ClassTLS, certificate(testregistry.Expired)},
		"wrong name":        {provider.ClassTLS, certificate(testregistry.WrongName)},
		// R3
		"accepts and is silent":    {provider.ClassTimeout, func() { _ = m.Mute() }},
		"hangs before the header":  {provider.ClassTimeout, fail(manifests, testregistry.Hang())},
		"hangs after the header":   {provider.ClassTimeout, fail(manifests, testregistry.HangAfterHeader())},
		"hangs in the layer":       {provider.ClassTimeout, fail(blobs, testregistry.HangAfter(100))},
		"drips":                    {provider.ClassTimeout, fail(blobs, testregistry.Drip(50*time.Millisecond))},
		"hangs before the layer":   {provider.ClassTimeout, fail(blobs, testregistry.Hang())},
		"resets inside the layer":  {provider.ClassUnreachable, fail(blobs, testregistry.ResetAfter(100))},
		"cuts the layer off":       {provider.ClassUnreachable, fail(blobs, testregistry.CutOff(100))},
		"cuts the manifest off":    {provider.ClassUnreachable, fail(manifests, testregistry.CutOff(100))},
		"resets in the manifest":   {provider.ClassUnreachable, fail(manifests, testregistry.ResetAfter(100))},
		"no layer for the release": {provider.ClassNotFound, func() { m.Remove(repo, s.image.Top().Digest) }}, // R5
		// R4
		"truncated layer": {provider.ClassDigest, fail(blobs, testregistry.Truncate(100))},
		"flipped byte":    {provider.ClassDigest, fail(blobs, testregistry.FlipByte(50))},
		"another blob":    {provider.ClassDigest, fail(blobs, testregistry.ServeBlob(other.Top()))},
		"wrong manifest":  {provider.ClassDigest, fail(manifests, testregistry.ServeManifest(other))},
	}
	for _, status := range []int{401, 403, 404, 429, 500, 502, 503, 504} { // R2
		class := provider.ClassServer
		switch status {
		case 401, 403:
			class = provider.ClassUnauthorized
		case 404:
			class = provider.ClassNotFound
		case 429:
			class = provider.ClassThrottled
		}
		all[fmt.Sprint("manifest ", status)] = fault{class, fail(manifests, testregistry.RetryLater(status, "10"))}
		all[fmt.Sprint("layer ", status)] = fault{class, fail(blobs, testregistry.Status(status))}
	}
	return all
}

// R1 to R5: the mirror fails in every way, and the source answers, with the
// failure in the result; with the source forbidden, the failure is in the error.
func TestMirrorFaults(t *testing.T) {
	for name := range faultsOf(newSite(t, smallRelease(3))) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, smallRelease(3))
			fault := faultsOf(s)[name]
			s.registry = s.provider(t, timeoutsFor(fault.class))
			fault.cause()
			r, err := s.chain(t, s.rules).Lookup(t.Context(), s.request(s.digest))
			if err != nil {
				t.Fatal(err)
			}
			attempts := slices.Collect(r.Attempts())
			wantList(t, "attempts", tried(attempts), s.mirror.Host()+"/"+repo+": "+fault.class.String(), s.digest.Name())
			if r.PulledFrom() != s.digest || r.Image() != s.digest || r.Version() != "4.17.3" {
				t.Errorf("%s of %s from %s", r.Version(), r.Image(), r.PulledFrom())
			}

			// R12 beside it: the same without the source.
			s = newSite(t, smallRelease(3), func(_ *testregistry.Config, r *policy.Rule) { r.NeverContactSource = true })
			fault = faultsOf(s)[name]
			s.registry = s.provider(t, timeoutsFor(fault.class))
			fault.cause()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // cuts retries short
			defer cancel()
			_, err = s.chain(t, s.rules).Lookup(ctx, s.request(s.digest))
			if !errors.Is(err, provider.ErrForbidden) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Lookup: %v; want the source to be forbidden", err)
			}
			e, ok := errors.AsType[*chain.Error](err)
			if !ok {
				t.Fatalf("Lookup: %v; want a *chain.Error", err)
			}
			// A mirror that is silent is the last one here, and has all the time there is.
			silent := fault.class == provider.ClassTimeout && len(e.Attempts) == 0 && e.Class() == provider.ClassTimeout
			if !silent && (len(e.Attempts) == 0 || provider.ClassOf(e.Attempts[0].Err) != fault.class) ||
				!strings.Contains(err.Error(), s.mirror.Host()) {
				t.Errorf("Lookup: %v; want the mirror's failure in it", err)
			}
			if n := s.source.Main().Stats().Connections; n != 0 {
				t.Errorf("%d connections to a source that is never to be contacted", n)
			}
		})
	}
}

// R1: a mirror whose name does not resolve.
func TestMirrorDoesNotResolve(t *testing.T) {
	s := newSite(t, smallRelease(3))
	rules := newRules(t, mirrored(s.digest.Name(), "no-such-host.invalid/"+repo))
	r, err := s.chain(t, rules).Lookup(t.Context(), s.request(s.tag))
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "attempts", tried(slices.Collect(r.Attempts())), "no-such-host.invalid/"+repo+": unreachable", s.tag.Name())
}

// R4: the child of an index is another one's.
func TestMirrorSwapsIndexChild(t *testing.T) {
	amd, arm := smallRelease(3), testpayload.Must(testpayload.Release{
		Version: "4.17.3", Components: 5, Manifests: 5, BaseLayers: []int64{1000}, Platform: provider.Platform{OS: "linux", Architecture: "arm64"},
	}.Image())
	s := newSite(t, testpayload.Index(false, arm, amd))
	s.mirror.Fail(testregistry.Match{Kind: testregistry.Manifest, Reference: amd.Digest}, testregistry.ServeManifest(arm))
	r, err := s.chain(t, s.rules).Lookup(t.Context(), s.request(s.digest))
	if err != nil {
		t.Fatal(err)
	}
	wantList(t, "attempts", tried(slices.Collect(r.Attempts())), s.mirror.Host()+"/"+repo+": digest", s.digest.Name())
	if r.Digest() != amd.Digest || r.Platform() != linux {
		t.Errorf("digest %s, platform %s", r.Digest(), r.Platform())
	}
}

// R2: when no candidate is left, what may recover is asked again.
func TestRetryOverTheWire(t *testing.T) {
	for name, a := range map[string]testregistry.Action{
		"503":                  testregistry.Status(503),
		"429 with Retry-After": testregistry.RetryLater(429, "1"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, smallRelease(3), func(_ *testregistry.Config, r *policy.Rule) { r.NeverContactSource = true })
			s.mirror.Inject(testregistry.Fault{Match: manifests, Times: 1, Action: a})
			r, err := s.chain(t, s.rules).Lookup(t.Context(), s.request(s.digest))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(slices.Collect(r.Attempts())); n != 2 || s.mirror.Count(manifests) != 2 || s.mirror.Count(blobs) != 1 {
				t.Errorf("%d attempts, %d manifests, %d layers; want 2, 2, 1", n, s.mirror.Count(manifests), s.mirror.Count(blobs))
			}
		})
	}
}

// R2: a registry is not asked again sooner than its Retry-After says. Its 429s go
// on until the wait is known; then the caller leaves, so that nobody has to wait.
func TestRetryAfterOverTheWire(t *testing.T) {
	s := newSite(t, smallRelease(3), func(_ *testregistry.Config, r *policy.Rule) { r.NeverContactSource = true })
	s.mirror.Fail(manifests, testregistry.RetryLater(429, "25"))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var waits []chain.Event
	observer := chain.ObserverFunc(func(_ context.Context, e chain.Event) {
		if e.Kind == chain.RetryWaiting {
			waits = append(waits, e)
			leave()
		}
	})
	c := newChain(t, s.registry, s.rules, chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{observer}}), chain.Mirrors(chain.MirrorsConfig{}))
	if _, err := c.Lookup(ctx, s.request(s.digest)); !errors.Is(err, provider.ErrThrottled) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want the 429 and that the caller left", err)
	}
	// The wait is worked out, not measured; a first retry of its own is after 200 ms.
	if len(waits) != 1 || waits[0].Wait <= 10*time.Second || waits[0].Wait > 25*time.Second || !errors.Is(waits[0].Err, provider.ErrThrottled) {
		t.Errorf("events %+v; want one of a wait of 25 s, for a 429", waits)
	}
	if n := s.mirror.Count(manifests); n != 1 {
		t.Errorf("%d requests for the manifest, want 1", n)
	}
}

// R12: not one packet to a forbidden source, whatever is asked for.
func TestForbiddenSource(t *testing.T) {
	s := newSite(t, smallRelease(3), func(_ *testregistry.Config, r *policy.Rule) { r.NeverContactSource = true })
	c := s.chain(t, s.rules)
	images, err := chain.Images(s.registry, always(s.rules), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(wantErr error) {
		t.Helper()
		for _, ref := range []imageref.Ref{s.digest, s.tag, mustParse(t, s.tag.String()+"@"+s.image.Digest)} {
			if _, err := c.Lookup(t.Context(), s.request(ref)); !errors.Is(err, wantErr) {
				t.Errorf("Lookup(%s): %v; want %v", ref, err, wantErr)
			}
			if _, err := images.Image(t.Context(), s.request(ref)); !errors.Is(err, wantErr) {
				t.Errorf("Image(%s): %v; want %v", ref, err, wantErr)
			}
		}
	}
	ask(nil)
	s.mirror.Down()
	c = s.chain(t, s.rules) // nothing remembered
	ask(provider.ErrForbidden)
	ask(provider.ErrUnreachable)
	if n := s.source.Main().Stats().Connections; n != 0 {
		t.Errorf("%d connections to the source", n)
	}
}

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

// An image moves to the next endpoint when a later read fails, at the same digest
// even if its tag is another image there.
func TestImagesMoveOn(t *testing.T) {
	for name, fault := range map[string]func(*site){
		"layer missing": func(s *site) { s.mirror.Remove(repo, s.image.Top().Digest) },
		"down":          func(s *site) { s.mirror.Down() },
		"flipped":       func(s *site) { s.mirror.Fail(blobs, testregistry.FlipByte(20)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, smallRelease(3))
			s.source.Push(repo, "4.17.3", smallRelease(4)) // the tag has moved on there
			images, err := chain.Images(s.registry, always(s.rules), chain.MirrorsConfig{})
			if err != nil {
				t.Fatal(err)
			}
			img, err := images.Image(t.Context(), s.request(s.tag))
			if err != nil {
				t.Fatal(err)
			}
			if img.Digest() != s.image.Digest || img.PulledFrom().Registry() != s.mirror.Host() {
				t.Fatalf("digest %s from %s", img.Digest(), img.PulledFrom())
			}
			fault(s)
			files, err := img.Files(t.Context(), testpayload.ImageReferencesFile)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := fs.ReadFile(files, testpayload.ImageReferencesFile); err != nil || !strings.Contains(string(text), `"4.17.3"`) {
				t.Errorf("image-references: %v, of another release: %.200s", err, text)
			}
			if img.Digest() != s.image.Digest || img.PulledFrom().Registry() != s.source.Host() {
				t.Errorf("digest %s from %s; want the same from the source", img.Digest(), img.PulledFrom())
			}
			if _, err := img.Config(t.Context()); err != nil {
				t.Error(err)
			}

			// Nobody is left.
			s.mirror.Down()
			s.source.Down()
			_, err = img.Config(t.Context())
			if e, ok := errors.AsType[*chain.Error](err); !ok || len(e.Attempts) != 2 || !errors.Is(err, provider.ErrUnreachable) {
				t.Errorf("Config: %v; want both attempts", err)
			}
		})
	}
}

func TestImagesRefuses(t *testing.T) {
	s := newSite(t, smallRelease(3))
	if _, err := chain.Images(nil, always(s.rules), chain.MirrorsConfig{}); err == nil {
		t.Error("no base is no error")
	}
	if _, err := chain.Images(s.registry, nil, chain.MirrorsConfig{}); err == nil {
		t.Error("no rules function is no error")
	}
	images, err := chain.Images(s.registry, always(nil), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := images.Image(t.Context(), s.request(s.tag)); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("Image without rules: %v", err)
	}
	if _, err := images.Image(t.Context(), provider.Request{}); err == nil {
		t.Error("no image is no error")
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

// A mirror that is slow to begin, as a cache is that fetches what it is asked for, gets
// the caller's time where nobody else answers: the source neither by refusing nor by
// being silent itself.
func TestSlowMirrorIsTheLast(t *testing.T) {
	for name, away := range map[string]func(*site){
		"source refuses connections": func(s *site) { s.source.Down() },
		"source has nothing":         func(s *site) { s.source.Remove(repo, s.digest.Digest()) },
		"source is silent":           func(s *site) { s.source.Fail(testregistry.Match{}, testregistry.Hang()) },
	} {
		for _, tag := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by tag %v", name, tag), func(t *testing.T) {
				t.Parallel()
				s := newSite(t, smallRelease(3))
				s.registry = s.provider(t, registry.Timeouts{Connect: time.Second, FirstByte: time.Second, Silence: time.Second})
				s.mirror.Fail(testregistry.Match{Kind: testregistry.Manifest}, testregistry.Delay(1500*time.Millisecond))
				away(s)
				image := s.digest
				if tag {
					image = s.tag
					s.source.Remove(repo, image.Tag())
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				r, err := s.chain(t, s.rules).Lookup(ctx, s.request(image))
				if err != nil {
					t.Fatal(err)
				}
				if host := r.PulledFrom().Registry(); host != s.mirror.Host() {
					t.Errorf("from %s, want the mirror", host)
				}
			})
		}
	}
}

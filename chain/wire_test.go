package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
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

var (
	manifests = testregistry.Match{Kind: testregistry.Manifest}
	blobs     = testregistry.Match{Kind: testregistry.Blob}
	linux     = provider.Platform{OS: "linux", Architecture: "amd64"}
)

// shortTimeouts is for endpoints that hang. longTimeouts is for those that answer, however
// busy the machine is.
var (
	shortTimeouts = registry.Timeouts{Connect: time.Second, FirstByte: time.Second, Silence: time.Second}
	longTimeouts  = registry.Timeouts{Connect: time.Minute, FirstByte: time.Minute, Silence: time.Minute}
)

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
			images, err := chain.Images(s.registry, always(s.rules), noHedges)
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

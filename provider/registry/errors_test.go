package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// wantError checks err's class, that the type is there and names its reference,
// and that the text says something.
func wantError(t testing.TB, err error, class provider.Class, says string) *provider.Error {
	t.Helper()
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *provider.Error of class %v", err, class)
	}
	if e.Class != class || e.Ref.IsZero() || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v: %v; want class %v, a reference, and %q in the text", e.Class, err, class, says)
	}
	return e
}

// Each of these shortens the one limit that a test runs into. All others are long, because
// on a busy machine what is not late on purpose may be late too.
func shortConnect(c *registry.Config) {
	longLimits(c)
	c.Timeouts.Connect = 200 * time.Millisecond
}

func shortFirstByte(c *registry.Config) {
	longLimits(c)
	c.Timeouts.FirstByte = 200 * time.Millisecond
}

func shortSilence(c *registry.Config) {
	longLimits(c)
	c.Timeouts.Silence = 200 * time.Millisecond
}

func longLimits(c *registry.Config) { c.Timeouts = registry.Silent(time.Minute) }

// R1: connections that do not come about.
func TestConnections(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, *testregistry.Registry)
		class provider.Class
		says  string
		limit func(*registry.Config)
	}{
		{"refused", func(t *testing.T, r *testregistry.Registry) { r.Down() }, provider.ClassUnreachable, "refused", longLimits},
		{"reset", func(t *testing.T, r *testregistry.Registry) { r.Fail(testregistry.Match{}, testregistry.Reset()) }, provider.ClassUnreachable, "", longLimits},
		{"reset in the layer", func(t *testing.T, r *testregistry.Registry) { r.Fail(blobs, testregistry.ResetAfter(100)) }, provider.ClassUnreachable, "layer", longLimits},
		{"mute", func(t *testing.T, r *testregistry.Registry) {
			if err := r.Mute(); err != nil {
				t.Fatal(err)
			}
		}, provider.ClassTimeout, "no connection within", shortConnect},
		{"unknown authority", func(t *testing.T, r *testregistry.Registry) {
			r.Main().SetCertificate(testregistry.UnknownAuthority)
		}, provider.ClassTLS, "unknown authority", longLimits},
		{"expired", func(t *testing.T, r *testregistry.Registry) { r.Main().SetCertificate(testregistry.Expired) }, provider.ClassTLS, "expired", longLimits},
		{"wrong name", func(t *testing.T, r *testregistry.Registry) { r.Main().SetCertificate(testregistry.WrongName) }, provider.ClassTLS, "127.0.0.1", longLimits},
	} {
		for _, old := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: " HTTP/1.1"}[old], func(t *testing.T) {
				reg := start(t, testregistry.Config{NoHTTP2: old})
				ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
				tt.spoil(t, reg)
				_, err := open(t, reg, tt.limit).Lookup(t.Context(), request(ref))
				e := wantError(t, err, tt.class, tt.says)
				if e.Ref != ref {
					t.Errorf("the error names %s", e.Ref)
				}
			})
		}
	}
	t.Run("no such name", func(t *testing.T) {
		_, err := open(t, nil).Lookup(t.Context(), request(imageref.MustParse("registry.invalid/ocp/release:x")))
		wantError(t, err, provider.ClassUnreachable, "registry.invalid")
	})
	t.Run("client certificate", func(t *testing.T) {
		reg := start(t, testregistry.Config{RequireClientCertificate: true})
		ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
		_, err := open(t, reg).Lookup(t.Context(), request(ref))
		wantError(t, err, provider.ClassTLS, "certificate")
	})
}

// R2: statuses, of the manifest and of the layer.
func TestStatuses(t *testing.T) {
	later := time.Now().Add(time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	for _, tt := range []struct {
		name   string
		action testregistry.Action
		class  provider.Class
		status int
		wait   func(time.Duration) bool
	}{
		{"401", testregistry.Status(401), provider.ClassUnauthorized, 401, nil},
		{"403", testregistry.Status(403), provider.ClassUnauthorized, 403, nil},
		{"404", testregistry.Status(404), provider.ClassNotFound, 404, nil},
		{"429 seconds", testregistry.RetryLater(429, "17"), provider.ClassThrottled, 429, func(d time.Duration) bool { return d == 17*time.Second }},
		{"429 date", testregistry.RetryLater(429, later), provider.ClassThrottled, 429, func(d time.Duration) bool { return d > 50*time.Minute && d <= time.Hour }},
		{"429 nonsense", testregistry.RetryLater(429, "soon"), provider.ClassThrottled, 429, func(d time.Duration) bool { return d == 0 }},
		{"500", testregistry.Status(500), provider.ClassServer, 500, nil},
		{"502", testregistry.Status(502), provider.ClassServer, 502, nil},
		{"503", testregistry.RetryLater(503, "3"), provider.ClassServer, 503, func(d time.Duration) bool { return d == 3*time.Second }},
		{"504", testregistry.Status(504), provider.ClassServer, 504, nil},
		{"418", testregistry.Status(418), provider.ClassUnknown, 418, nil},
	} {
		for _, m := range []testregistry.Match{manifests, blobs} {
			t.Run(tt.name+" "+string(m.Kind), func(t *testing.T) {
				reg := start(t, testregistry.Config{})
				ref := reg.ByDigest(repo, reg.Push(repo, "", small(t)))
				reg.Fail(m, tt.action)
				p := open(t, reg)
				_, err := p.Lookup(t.Context(), request(ref))
				e := wantError(t, err, tt.class, "")
				if e.Status != tt.status || tt.wait != nil && !tt.wait(e.RetryAfter) {
					t.Errorf("status %d, retry after %v", e.Status, e.RetryAfter)
				}
				// Nothing is retried here, and the connection is still good.
				reg.ClearFaults()
				if _, err := p.Lookup(t.Context(), request(ref)); err != nil {
					t.Error(err)
				}
				if n := reg.Main().Stats().Handshakes; n != 1 {
					t.Errorf("%d handshakes", n)
				}
			})
		}
	}
}

// R3: everything that hangs or drips runs into a limit, and says which.
func TestHangs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		match  testregistry.Match
		action testregistry.Action
		says   string
		limit  func(*registry.Config)
	}{
		{"before the header", manifests, testregistry.Hang(), "no answer within", shortFirstByte},
		{"after the header", manifests, testregistry.HangAfterHeader(), "no progress in the body within", shortSilence},
		{"in the manifest", manifests, testregistry.HangAfter(10), "no progress in the body within", shortSilence},
		{"before the layer's header", blobs, testregistry.Hang(), "no answer within", shortFirstByte},
		{"in the layer", blobs, testregistry.HangAfter(100), "no progress in the body within", shortSilence},
		{"drip", blobs, testregistry.Drip(10 * time.Millisecond), "no progress in the body within", shortSilence},
		{"token", tokens, testregistry.Hang(), "fetching a token", shortFirstByte},
	} {
		for _, old := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: " HTTP/1.1"}[old], func(t *testing.T) {
				t.Parallel()
				cfg := testregistry.Config{NoHTTP2: old}
				if tt.match.Kind == testregistry.Token {
					cfg.Auth = testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}
				}
				reg := start(t, cfg)
				ref := reg.ByDigest(repo, reg.Push(repo, "", testpayload.Must(testpayload.Release{Components: 20, Manifests: -1, BaseLayers: []int64{}}.Image())))
				reg.Fail(tt.match, tt.action)
				_, err := open(t, reg, tt.limit).Lookup(t.Context(), request(ref))
				wantError(t, err, provider.ClassTimeout, tt.says)
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a limit of ours passes for the caller's deadline: %v", err)
				}
			})
		}
	}
}

// A caller's own end is never mistaken for the mirror's fault.
func TestCallersEnd(t *testing.T) {
	for _, m := range []testregistry.Match{manifests, blobs, tokens} {
		reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
		req := at(t, reg.ByDigest(repo, reg.Push(repo, "", small(t))), provider.NewCredential("alice", secretPassword))
		remove := reg.Fail(m, testregistry.Hang())
		p := open(t, reg)

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := p.Lookup(ctx, req); done <- err }()
		if err := reg.Wait(t.Context(), 1, m); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", m.Kind, err)
		} else {
			wantError(t, err, provider.ClassCanceled, "")
		}

		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
		_, err := p.Lookup(ctx, req)
		cancel()
		wantError(t, err, provider.ClassTimeout, "")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the caller's deadline does not show in %v", m.Kind, err)
		}

		remove()
		if _, err := p.Lookup(t.Context(), req); err != nil {
			t.Errorf("%s: afterwards: %v", m.Kind, err)
		}
	}
}

// R4: what is served is not what was asked for.
func TestTampered(t *testing.T) {
	big := testpayload.Must(testpayload.Release{BaseLayers: []int64{}}.Image())
	other := testpayload.Must(testpayload.Release{Version: "6.6.6", BaseLayers: []int64{}}.Image())
	arm := testpayload.Must(testpayload.Release{Platform: provider.Platform{OS: "linux", Architecture: "arm64"}, BaseLayers: []int64{}}.Image())
	index := testpayload.Index(false, arm, big)
	for _, tt := range []struct {
		name   string
		match  testregistry.Match
		action testregistry.Action
		class  provider.Class
	}{
		{"manifest flipped", manifests, testregistry.FlipByte(3), provider.ClassDigest},
		{"manifest flipped at the end", manifests, testregistry.FlipByte(-1), provider.ClassDigest},
		{"manifest truncated", manifests, testregistry.Truncate(100), provider.ClassDigest},
		{"manifest cut off", manifests, testregistry.CutOff(100), provider.ClassUnreachable},
		{"another manifest", testregistry.Match{Kind: testregistry.Manifest, Reference: big.Digest}, testregistry.ServeManifest(other), provider.ClassDigest},
		{"another index", testregistry.Match{Kind: testregistry.Manifest, Reference: index.Digest}, testregistry.ServeManifest(other), provider.ClassDigest},
		{"the other child", testregistry.Match{Kind: testregistry.Manifest, Reference: big.Digest}, testregistry.ServeManifest(arm), provider.ClassDigest},
		{"layer flipped early", blobs, testregistry.FlipByte(20), provider.ClassDigest},
		{"layer flipped", blobs, testregistry.FlipByte(big.Top().Size / 2), provider.ClassDigest},
		{"layer flipped at the end", blobs, testregistry.FlipByte(-1), provider.ClassDigest},
		{"layer truncated", blobs, testregistry.Truncate(big.Top().Size - 1), provider.ClassDigest},
		{"layer empty", blobs, testregistry.Truncate(0), provider.ClassDigest},
		{"layer cut off", blobs, testregistry.CutOff(1000), provider.ClassUnreachable},
		{"another layer", blobs, testregistry.ServeBlob(other.Top()), provider.ClassDigest},
		{"another layer of the same size", blobs, testregistry.Replace(make([]byte, big.Top().Size)), provider.ClassDigest},
		{"layer without end", blobs, testregistry.Endless(), provider.ClassDigest},
		{"R5: no layer", blobs, testregistry.Status(404), provider.ClassNotFound},
	} {
		for _, byTag := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: " by tag"}[byTag], func(t *testing.T) {
				reg := start(t, testregistry.Config{})
				ref := reg.ByDigest(repo, reg.Push(repo, "4.17.3", index))
				if byTag {
					ref = reg.ByTag(repo, "4.17.3")
					if tt.match.Reference == index.Digest {
						tt.match.Reference = "4.17.3" // the registry's own header then gives it away
					}
				}
				reg.Fail(tt.match, tt.action)
				r, err := open(t, reg).Lookup(t.Context(), request(ref))
				if r != nil {
					t.Error("believed")
				}
				if e := wantError(t, err, tt.class, reg.Host()); e.Ref != ref {
					t.Errorf("the error names %s", e.Ref)
				}
			})
		}
	}
}

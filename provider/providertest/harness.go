package providertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Harness says how the provider under test is made.
type Harness struct {
	// New makes one that can read from reg, whose certificates [testregistry.CA]
	// of reg signs. What is to be stopped is stopped by t.Cleanup. It is called
	// once for each registry, from the test's own goroutine.
	New func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider
	// Disk says that the provider reads a copy of what is in reg at the time, from disk.
	// What only a registry does is then not tested: credentials, repositories that do not
	// share, faults of the network.
	Disk bool
}

// ImageHarness is [Harness] for an [provider.ImageProvider].
type ImageHarness struct {
	// New is [Harness.New].
	New func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider
	// Disk is [Harness.Disk].
	Disk bool
}

// notOnDisk are the tests that a harness with Disk leaves out.
var notOnDisk = []string{"NotFound", "Unauthorized", "Tampered", "Errors", "Cancel"}

// The repository that the suites use, and a user who may read it.
const (
	repository = "team/release"
	user       = "reader"
	password   = "hunter2-of-reader"
)

// patience is when the suites call something stuck. Nothing is judged by how
// long it takes, except by this.
const timeLimit = 30 * time.Second

// amd64 is the platform that the suites ask for.
var amd64 = provider.Platform{OS: "linux", Architecture: "amd64"}

// serve starts a registry, and checks at the test's end that no goroutine is
// left. It comes before what uses the registry, so that it is checked last.
func serve(t *testing.T, cfg testregistry.Config) *testregistry.Registry {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if !t.Failed() { // one fault is enough to report
			goleak.VerifyNone(t, before)
		}
	})
	reg, err := testregistry.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	return reg
}

func request(ref imageref.Ref) provider.Request {
	return provider.Request{Image: ref, Platform: amd64}
}

// limited returns a context that ends before the test would hang.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	t.Cleanup(cancel)
	return ctx
}

// finish waits for f, and fails the test if it is stuck.
func finish(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	stuck := time.NewTimer(timeLimit)
	defer stuck.Stop()
	select {
	case <-done:
	case <-stuck.C:
		t.Fatalf("%s is stuck after %s", what, timeLimit)
	}
}

// wantClass checks that err is of one of classes and matches its sentinel.
func wantClass(t *testing.T, err error, classes ...provider.Class) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one of class %v", classes)
		return
	}
	got := provider.ClassOf(err)
	for _, c := range classes {
		if got == c {
			if c != provider.ClassCanceled && !isSentinel(err) {
				t.Errorf("%v is of class %s and matches no sentinel", err, c)
			}
			return
		}
	}
	t.Errorf("error %v is of class %s; want one of %v", err, got, classes)
}

func isSentinel(err error) bool {
	for _, s := range []error{
		provider.ErrNotFound, provider.ErrUnauthorized, provider.ErrThrottled, provider.ErrServer, provider.ErrUnreachable, provider.ErrTimeout,
		provider.ErrTLS, provider.ErrDigest, provider.ErrForbidden, provider.ErrLimit, provider.ErrMalformed, provider.ErrSignature, provider.ErrInvalidRequest,
	} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// invalidRequest is a request that no provider can answer, and why.
type invalidRequest struct {
	req  provider.Request
	want error
}

func invalidRequests(reg *testregistry.Registry) []invalidRequest {
	return []invalidRequest{
		{provider.Request{Platform: amd64}, policy.ErrNoImage},
		{provider.Request{Image: reg.ByTag(repository, "tag"), Platform: provider.Platform{Architecture: "linux/amd64"}}, provider.ErrInvalidPlatform},
	}
}

// wantInvalid checks that err says that the request is wrong, and that reg was not
// asked.
func wantInvalid(t *testing.T, reg *testregistry.Registry, err, want error) {
	t.Helper()
	wantClass(t, err, provider.ClassInvalid)
	if !errors.Is(err, want) {
		t.Errorf("got %v; want an error that is %q", err, want)
	}
	if n := reg.Count(); n != 0 {
		t.Errorf("%d requests for what cannot be answered", n)
	}
}

// together runs f n times at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// login returns a pull secret with one entry for reg.
func login(t *testing.T, reg *testregistry.Registry, c provider.Credential) provider.Credentials {
	t.Helper()
	creds, err := provider.NewCredentials(map[string]provider.Credential{reg.Host() + "/" + repository: c})
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

// release returns a small release payload.
func release(version string) testpayload.Release {
	return testpayload.Release{Version: version, Components: 12, Manifests: 5}
}

// manifestOf and topOf choose the requests for an image's manifest and topmost layer.
func manifestOf(img testpayload.Image) testregistry.Match {
	return testregistry.Match{Kind: testregistry.Manifest, Reference: img.Digest}
}

func topOf(img testpayload.Image) testregistry.Match {
	return testregistry.Match{Kind: testregistry.Blob, Reference: img.Top().Digest}
}

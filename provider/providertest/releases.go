package providertest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// TestReleaseProvider checks what a [provider.ReleaseProvider] owes its callers.
// A chain of layers over a provider is one itself and passes it too.
func TestReleaseProvider(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Harness)
	}{
		{"Reads", testReads},
		{"Platform", testPlatform},
		{"Open", testOpen},
		{"Invalid", testInvalid},
		{"NotFound", testNotFound},
		{"NoRelease", testNoRelease},
		{"Unauthorized", testUnauthorized},
		{"Tampered", testTampered},
		{"Errors", testErrors},
		{"Cancel", testCancel},
		{"Immutable", testImmutable},
		{"Concurrent", testConcurrent},
	} {
		if h.Disk && slices.Contains(notOnDisk, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

// testOpen checks a [provider.Opener]; the capability is optional.
func testOpen(t *testing.T, h Harness) {
	reg := serve(t, testregistry.Config{})
	p, err := provider.As[provider.Opener](h.New(t, reg))
	if err != nil {
		t.Skip(err)
	}
	want := release("4.17.2")
	img, other := testpayload.Must(want.Image()), testpayload.Must(release("4.17.3").Image())
	index := testpayload.Index(false, img)
	for name, pushed := range map[string]testpayload.Image{"manifest": img, "index": index} {
		reg.Push(repository, "tag", pushed)
		req := request(reg.ByTag(repository, "tag"))
		first, err := p.Open(limited(t), req, "")
		if err != nil || first == nil {
			t.Fatalf("%s: opened %v, error %v", name, first, err)
		}
		if first.Named() != pushed.Digest || first.Digest() != img.Digest {
			t.Errorf("%s: named %s, digest %s; want %s, %s", name, first.Named(), first.Digest(), pushed.Digest, img.Digest)
		}
		r, err := first.Release(limited(t))
		if err != nil {
			t.Fatal(err)
		}
		wantRelease(t, r, req.Image, want, img)
		// Nil says that nothing changed; a provider that cannot tell reads it again.
		if same, err := p.Open(limited(t), req, first.Named()); err != nil || same != nil && same.Digest() != img.Digest {
			t.Errorf("%s: opened %v again, error %v; want nil or the same", name, same, err)
		}
		if moved, err := p.Open(limited(t), req, other.Digest); err != nil || moved == nil || moved.Digest() != img.Digest {
			t.Errorf("%s: opened %v, error %v where another digest is known; want the manifest", name, moved, err)
		}
	}
}

func testInvalid(t *testing.T, h Harness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	for _, c := range invalidRequests(reg) {
		_, err := lookup(t, p, c.req)
		wantInvalid(t, reg, err, c.want)
	}
}

// lookup looks up, and checks that the request is left alone.
func lookup(t *testing.T, p provider.ReleaseProvider, req provider.Request) (*provider.Release, error) {
	t.Helper()
	before := req
	r, err := p.Lookup(limited(t), req)
	if req != before {
		t.Error("the request changed")
	}
	if (r == nil) == (err == nil) {
		t.Fatalf("got release %v and error %v; want exactly one", r, err)
	}
	return r, err
}

// wantRelease checks that r is what an image says, asked for as ref.
func wantRelease(t *testing.T, r *provider.Release, ref imageref.Ref, want testpayload.Release, img testpayload.Image) {
	t.Helper()
	if r.Image() != ref {
		t.Errorf("Image is %s, asked for was %s", r.Image(), ref)
	}
	if r.PulledFrom().IsZero() {
		t.Error("PulledFrom is not set")
	}
	if r.Digest() != img.Digest {
		t.Errorf("Digest is %s, want %s", r.Digest(), img.Digest)
	}
	if r.Version() != want.Version || r.Created().IsZero() || r.Stale() {
		t.Errorf("version %s, created %s, stale %t", r.Version(), r.Created(), r.Stale())
	}
	var names []string
	for c := range r.Components() {
		names = append(names, c.Name)
		if c.Canonical.Digest() != want.ComponentDigest(c.Name) || c.Image.Digest() != c.Canonical.Digest() {
			t.Errorf("component %s is %s, canonical %s; want %s", c.Name, c.Image, c.Canonical, want.ComponentDigest(c.Name))
		}
		if len(c.Annotations) == 0 {
			t.Errorf("component %s has lost its annotations", c.Name)
		}
	}
	if !slices.Equal(names, want.ComponentNames()) {
		t.Errorf("components %v, want %v", names, want.ComponentNames())
	}
	if !maps.Equal(r.ComponentVersions(), want.ComponentVersions()) {
		t.Errorf("component versions %v, want %v", r.ComponentVersions(), want.ComponentVersions())
	}
	if string(r.ImageReferences()) != string(want.ImageReferences()) {
		t.Error("image-references differs")
	}
	if string(r.BootImages()) != string(want.BootImagesConfigMap()) {
		t.Error("boot images differ")
	}
	if len(r.Metadata().Previous) == 0 {
		t.Error("release metadata is lost")
	}
}

func testReads(t *testing.T, h Harness) {
	for name, r := range map[string]testpayload.Release{
		"OCI":          {},
		"Docker":       {Docker: true},
		"zstd":         {Compression: testpayload.Zstd},
		"uncompressed": {Compression: testpayload.Uncompressed},
		"multi-stream": {BootImages: testpayload.MultiStream},
	} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			r.Version, r.Components, r.Manifests = "4.17.9", 12, 5
			img := testpayload.Must(r.Image())
			reg.Push(repository, "tag", img)
			for _, ref := range []imageref.Ref{reg.ByDigest(repository, img.Digest), reg.ByTag(repository, "tag")} {
				got, err := lookup(t, p, request(ref))
				if err != nil {
					t.Fatal(err)
				}
				wantRelease(t, got, ref, r, img)
			}
		})
	}
}

func testPlatform(t *testing.T, h Harness) {
	arm64 := provider.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	for name, docker := range map[string]bool{"OCI index": false, "Docker list": true} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			one, two := release("4.17.1"), release("4.17.1")
			one.Docker, two.Docker, two.Platform = docker, docker, arm64
			oneImage, twoImage := testpayload.Must(one.Image()), testpayload.Must(two.Image())
			index := testpayload.Index(docker, oneImage, twoImage)
			reg.Push(repository, "tag", index)
			for _, ref := range []imageref.Ref{reg.ByDigest(repository, index.Digest), reg.ByTag(repository, "tag")} {
				for _, c := range []struct {
					ask     provider.Platform
					release testpayload.Release
					image   testpayload.Image
				}{
					{amd64, one, oneImage},
					{provider.Platform{Architecture: "arm64"}, two, twoImage},
				} {
					r, err := lookup(t, p, provider.Request{Image: ref, Platform: c.ask})
					if err != nil {
						t.Fatal(err)
					}
					wantRelease(t, r, ref, c.release, c.image)
					if r.Platform().Architecture != c.image.Platform.Architecture || r.Platform().OS != "linux" {
						t.Errorf("asked for %s, Platform is %s", c.ask, r.Platform())
					}
				}
				_, err := lookup(t, p, provider.Request{Image: ref, Platform: provider.Platform{OS: "linux", Architecture: "s390x"}})
				wantClass(t, err, provider.ClassNotFound)
				if err != nil && !strings.Contains(err.Error(), "s390x") {
					t.Errorf("%v does not name the platform", err)
				}
			}
		})
	}
}

func testNotFound(t *testing.T, h Harness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	img := testpayload.Must(release("4.17.1").Image())
	reg.Push(repository, "tag", img)
	for _, ref := range []imageref.Ref{
		reg.ByTag(repository, "other"), reg.ByTag("team/other", "tag"),
		reg.ByDigest(repository, testpayload.Digest(nil)), reg.ByDigest("team/other", img.Digest),
	} {
		_, err := lookup(t, p, request(ref))
		wantClass(t, err, provider.ClassNotFound)
	}
	// A manifest whose layer is gone is no release either, and no wrong one.
	reg.Remove(repository, img.Top().Digest)
	_, err := lookup(t, p, request(reg.ByDigest(repository, img.Digest)))
	wantClass(t, err, provider.ClassNotFound)
}

func testUnauthorized(t *testing.T, h Harness) {
	for name, auth := range map[string]testregistry.Auth{
		"Basic":  {Scheme: testregistry.Basic},
		"Bearer": {Scheme: testregistry.Bearer},
	} {
		t.Run(name, func(t *testing.T) {
			auth.Users = []testregistry.User{{Name: user, Password: password, Repositories: []string{repository}}}
			reg := serve(t, testregistry.Config{Auth: auth})
			p := h.New(t, reg)
			want := release("4.17.1")
			img := testpayload.Must(want.Image())
			reg.Push(repository, "tag", img)
			for _, ref := range []imageref.Ref{reg.ByDigest(repository, img.Digest), reg.ByTag(repository, "tag")} {
				ask := func(c provider.Credentials) (*provider.Release, error) {
					t.Helper()
					req := request(ref)
					req.Credentials = c
					return lookup(t, p, req)
				}
				for _, c := range []provider.Credentials{{}, login(t, reg, provider.NewCredential(user, "guessed"))} {
					_, err := ask(c)
					wantClass(t, err, provider.ClassUnauthorized)
				}
				good := login(t, reg, provider.NewCredential(user, password))
				r, err := ask(good)
				if err != nil {
					t.Fatal(err)
				}
				wantRelease(t, r, ref, want, img)

				// What one tenant may see is not shown to another afterwards.
				for _, c := range []provider.Credentials{{}, login(t, reg, provider.NewCredential(user, "guessed"))} {
					_, err := ask(c)
					wantClass(t, err, provider.ClassUnauthorized)
				}
			}
			// No error tells a secret, whatever goes wrong.
			reg.SetAuth(testregistry.Auth{Scheme: auth.Scheme})
			req := request(reg.ByTag(repository, "new"))
			req.Credentials = login(t, reg, provider.NewCredential(user, password))
			_, err := lookup(t, p, req)
			wantClass(t, err, provider.ClassUnauthorized)
			everyError(err, func(e error) {
				if strings.Contains(e.Error(), password) {
					t.Errorf("the error tells the password: %v", e)
				}
			})
		})
	}
}

// everyError calls do with err and with every error that it wraps.
func everyError(err error, do func(error)) {
	if err == nil {
		return
	}
	do(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		everyError(e.Unwrap(), do)
	case interface{ Unwrap() []error }:
		for _, wrapped := range e.Unwrap() {
			everyError(wrapped, do)
		}
	}
}

func testImmutable(t *testing.T, h Harness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	want := release("4.17.1")
	img := testpayload.Must(want.Image())
	reg.Push(repository, "", img)
	ref := reg.ByDigest(repository, img.Digest)
	first, err := lookup(t, p, request(ref))
	if err != nil {
		t.Fatal(err)
	}
	for c := range first.Components() {
		clear(c.Annotations)
		clear(c.PullFrom)
	}
	clear(first.ComponentVersions())
	clear(first.BootImages())
	clear(first.ImageReferences())
	for i := range first.Metadata().Previous {
		first.Metadata().Previous[i] = "spoilt"
	}
	first.With(func(d *provider.ReleaseData) {
		for i := range d.Components {
			clear(d.Components[i].Annotations)
			d.Components[i].Canonical = ref
		}
		clear(d.BootImages)
		d.Version = "spoilt"
	})
	wantRelease(t, first, ref, want, img)
	second, err := lookup(t, p, request(ref))
	if err != nil {
		t.Fatal(err)
	}
	wantRelease(t, second, ref, want, img)
}

func testConcurrent(t *testing.T, h Harness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	var (
		releases []testpayload.Release
		images   []testpayload.Image
	)
	for _, version := range []string{"4.17.1", "4.17.2", "4.17.3"} {
		r := release(version)
		img := testpayload.Must(r.Image())
		reg.Push(repository, version, img)
		releases, images = append(releases, r), append(images, img)
	}
	ctx := limited(t)
	together(24, func(i int) {
		n := i % len(images)
		ref := reg.ByDigest(repository, images[n].Digest)
		if i%2 == 0 {
			ref = reg.ByTag(repository, releases[n].Version)
		}
		r, err := p.Lookup(ctx, request(ref))
		if err != nil {
			t.Errorf("lookup %d: %v", i, err)
			return
		}
		wantRelease(t, r, ref, releases[n], images[n])
		for c := range r.Components() {
			clear(c.Annotations)
		}
	})
}

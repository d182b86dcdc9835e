package providertest

import (
	"context"
	"errors"
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
		{"NotFound", testNotFound},
		{"NoRelease", testNoRelease},
		{"Unauthorized", testUnauthorized},
		{"Tampered", testTampered},
		{"Errors", testErrors},
		{"Cancel", testCancel},
		{"Immutable", testImmutable},
		{"Concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
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

func testNoRelease(t *testing.T, h Harness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	wrong := func(file, body string) testpayload.Layer {
		r := release("4.17.1")
		r.Files = map[string][]byte{file: []byte(body)}
		return r.Layer()
	}
	for name, l := range map[string]testpayload.Layer{
		"no release":       {Entries: []testpayload.Entry{testpayload.File("etc/motd", "hello")}},
		"not JSON":         wrong(testpayload.ImageReferencesFile, "kind: ImageStream"),
		"another kind":     wrong(testpayload.ImageReferencesFile, `{"kind":"ConfigMap","apiVersion":"v1"}`),
		"bad metadata":     wrong(testpayload.MetadataFile, `{`),
		"no layer":         {Raw: []byte("this is neither a tar file nor compressed")},
		"layer of nothing": {Raw: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{l}}.Image())
			reg.Push(repository, "", img)
			_, err := lookup(t, p, request(reg.ByDigest(repository, img.Digest)))
			wantClass(t, err, provider.ClassMalformed, provider.ClassNotFound)
		})
	}
	for name, img := range map[string]testpayload.Image{
		"manifest not JSON":    testpayload.Raw(testpayload.OCIManifest, []byte("<html>")),
		"manifest of nothing":  testpayload.Raw(testpayload.OCIManifest, []byte("{}")),
		"index of nothing":     testpayload.Raw(testpayload.OCIIndex, []byte(`{"schemaVersion":2,"mediaType":"`+testpayload.OCIIndex+`","manifests":[]}`)),
		"unheard-of manifests": testpayload.Raw("text/html", []byte("<html>")),
	} {
		t.Run(name, func(t *testing.T) {
			reg.Push(repository, "", img)
			_, err := lookup(t, p, request(reg.ByDigest(repository, img.Digest)))
			wantClass(t, err, provider.ClassMalformed, provider.ClassNotFound)
		})
	}
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
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), password) {
					t.Errorf("the error tells the password: %v", e)
				}
			}
		})
	}
}

func testTampered(t *testing.T, h Harness) {
	good, evil := release("4.17.1"), release("4.17.666")
	goodImage, evilImage := testpayload.Must(good.Image()), testpayload.Must(evil.Image())
	index := testpayload.Index(false, goodImage)
	for name, f := range map[string]struct {
		match   testregistry.Match
		action  testregistry.Action
		classes []provider.Class
	}{
		"manifest changed":   {manifestOf(goodImage), testregistry.FlipByte(100), []provider.Class{provider.ClassDigest}},
		"manifest replaced":  {manifestOf(goodImage), testregistry.ServeManifest(evilImage), []provider.Class{provider.ClassDigest}},
		"manifest cut off":   {manifestOf(goodImage), testregistry.CutOff(50), []provider.Class{provider.ClassUnreachable, provider.ClassDigest}},
		"manifest truncated": {manifestOf(goodImage), testregistry.Truncate(50), []provider.Class{provider.ClassDigest}},
		"index replaced":     {manifestOf(index), testregistry.ServeManifest(testpayload.Index(false, evilImage)), []provider.Class{provider.ClassDigest}},
		"layer changed":      {topOf(goodImage), testregistry.FlipByte(-20), []provider.Class{provider.ClassDigest}},
		"layer's first byte": {topOf(goodImage), testregistry.FlipByte(0), []provider.Class{provider.ClassDigest}},
		"layer's last byte":  {topOf(goodImage), testregistry.FlipByte(-1), []provider.Class{provider.ClassDigest}},
		"layer replaced":     {topOf(goodImage), testregistry.ServeBlob(evilImage.Top()), []provider.Class{provider.ClassDigest}},
		"layer truncated":    {topOf(goodImage), testregistry.Truncate(500), []provider.Class{provider.ClassDigest}},
		"layer cut off":      {topOf(goodImage), testregistry.CutOff(500), []provider.Class{provider.ClassUnreachable, provider.ClassDigest}},
		"layer of nothing":   {topOf(goodImage), testregistry.Replace(nil), []provider.Class{provider.ClassDigest}},
	} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			reg.Push(repository, "", index)
			remove := reg.Fail(f.match, f.action)
			ref := reg.ByDigest(repository, index.Digest)
			r, err := lookup(t, p, request(ref))
			if err == nil {
				t.Fatalf("believed version %s", r.Version())
			}
			wantClass(t, err, f.classes...)

			// Nothing of it is remembered as if it were right.
			remove()
			again := h.New(t, reg)
			if r, err = lookup(t, again, request(ref)); err != nil {
				t.Fatal(err)
			}
			wantRelease(t, r, ref, good, goodImage)
		})
	}
	t.Run("tag moves", func(t *testing.T) {
		// Without a digest to hold it to, the registry's word counts: a tag may move.
		reg := serve(t, testregistry.Config{})
		p := h.New(t, reg)
		reg.Push(repository, "tag", goodImage)
		if _, err := lookup(t, p, request(reg.ByTag(repository, "tag"))); err != nil {
			t.Fatal(err)
		}
		reg.Push(repository, "tag", evilImage)
		ref := reg.ByDigest(repository, goodImage.Digest)
		r, err := lookup(t, p, request(ref))
		if err != nil {
			t.Fatal(err)
		}
		wantRelease(t, r, ref, good, goodImage)
	})
}

func testErrors(t *testing.T, h Harness) {
	img := testpayload.Must(release("4.17.1").Image())
	for name, c := range map[string]struct {
		fault func(*testing.T, *testregistry.Registry)
		class provider.Class
	}{
		"429": {func(_ *testing.T, reg *testregistry.Registry) {
			reg.Fail(testregistry.Match{}, testregistry.Status(429))
		}, provider.ClassThrottled},
		"500": {func(_ *testing.T, reg *testregistry.Registry) {
			reg.Fail(testregistry.Match{}, testregistry.Status(500))
		}, provider.ClassServer},
		"503 on blob": {func(_ *testing.T, reg *testregistry.Registry) { reg.Fail(topOf(img), testregistry.Status(503)) }, provider.ClassServer},
		"403": {func(_ *testing.T, reg *testregistry.Registry) {
			reg.Fail(testregistry.Match{}, testregistry.Status(403))
		}, provider.ClassUnauthorized},
		"404": {func(_ *testing.T, reg *testregistry.Registry) {
			reg.Fail(testregistry.Match{}, testregistry.Status(404))
		}, provider.ClassNotFound},
		"refused": {func(_ *testing.T, reg *testregistry.Registry) { reg.Down() }, provider.ClassUnreachable},
		"reset":   {func(_ *testing.T, reg *testregistry.Registry) { reg.Fail(testregistry.Match{}, testregistry.Reset()) }, provider.ClassUnreachable},
		"unknown authority": {func(_ *testing.T, reg *testregistry.Registry) {
			reg.Main().SetCertificate(testregistry.UnknownAuthority)
		}, provider.ClassTLS},
		"expired certificate": {func(_ *testing.T, reg *testregistry.Registry) { reg.Main().SetCertificate(testregistry.Expired) }, provider.ClassTLS},
		"wrong name":          {func(_ *testing.T, reg *testregistry.Registry) { reg.Main().SetCertificate(testregistry.WrongName) }, provider.ClassTLS},
	} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			reg.Push(repository, "tag", img)
			c.fault(t, reg)
			_, err := lookup(t, p, request(reg.ByDigest(repository, img.Digest)))
			wantClass(t, err, c.class)
			if err != nil && !strings.Contains(err.Error(), reg.Host()) {
				t.Errorf("%v does not name the registry", err)
			}
		})
	}
}

func testCancel(t *testing.T, h Harness) {
	img := testpayload.Must(release("4.17.1").Image())
	for name, c := range map[string]struct {
		match  testregistry.Match
		action testregistry.Action
	}{
		"before the manifest's header": {manifestOf(img), testregistry.Hang()},
		"in the manifest":              {manifestOf(img), testregistry.HangAfter(10)},
		"before the layer's header":    {topOf(img), testregistry.Hang()},
		"after the layer's header":     {topOf(img), testregistry.HangAfterHeader()},
		"in the layer":                 {topOf(img), testregistry.HangAfter(100)},
	} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			reg.Push(repository, "", img)
			reg.Fail(c.match, c.action)
			ctx, cancel := context.WithCancel(limited(t))
			defer cancel()
			finish(t, "a lookup that its caller gave up", func() {
				go func() {
					_ = reg.Wait(ctx, 1, c.match)
					cancel()
				}()
				_, err := p.Lookup(ctx, request(reg.ByDigest(repository, img.Digest)))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("a cancelled lookup ended with %v", err)
				}
			})
		})
	}
	t.Run("before it starts", func(t *testing.T) {
		reg := serve(t, testregistry.Config{})
		p := h.New(t, reg)
		reg.Push(repository, "", img)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		finish(t, "a lookup with an ended context", func() {
			if _, err := p.Lookup(ctx, request(reg.ByDigest(repository, img.Digest))); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled lookup ended with %v", err)
			}
		})
	})
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

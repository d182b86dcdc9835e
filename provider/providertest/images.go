package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// TestImageProvider checks what a [provider.ImageProvider] owes its callers.
func TestImageProvider(t *testing.T, h ImageHarness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, ImageHarness)
	}{
		{"Reads", testImageReads},
		{"Layers", testLayers},
		{"Patterns", testPatterns},
		{"Escapes", testEscapes},
		{"Platform", testImagePlatform},
		{"Invalid", testImageInvalid},
		{"NotFound", testImageNotFound},
		{"Unauthorized", testImageUnauthorized},
		{"Tampered", testImageTampered},
		{"Cancel", testImageCancel},
		{"Concurrent", testImageConcurrent},
		{"Extract", testExtract},
	} {
		if h.Disk && slices.Contains(notOnDisk, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

// layers returns an image of layers, from the bottom up, in every compression.
func layers(entries ...[]testpayload.Entry) testpayload.Image {
	s := testpayload.Spec{Labels: map[string]string{"name": "it"}}
	for i, e := range entries {
		s.Layers = append(s.Layers, testpayload.Layer{Entries: e, Compression: testpayload.Compression(i % 3)})
	}
	return testpayload.Must(s.Image())
}

func imageOf(t *testing.T, p provider.ImageProvider, req provider.Request) (provider.Image, error) {
	t.Helper()
	before := req
	img, err := p.Image(limited(t), req)
	if req != before {
		t.Error("the request changed")
	}
	if (img == nil) == (err == nil) {
		t.Fatalf("got image %v and error %v; want exactly one", img, err)
	}
	return img, err
}

// wantFiles checks that img has these files, and no other regular ones, below
// patterns.
func wantFiles(t *testing.T, img provider.Image, want map[string]string, patterns ...string) {
	t.Helper()
	files, err := img.Files(limited(t), patterns...)
	if err != nil {
		t.Errorf("Files(%q): %v", patterns, err)
		return
	}
	got := make(map[string]string)
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		got[name] = string(b)
		return err
	})
	if err != nil {
		t.Errorf("Files(%q): walking: %v", patterns, err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("Files(%q) are %q, want %q", patterns, got, want)
	}
	wantExtracted(t, img, files, want, patterns...)
	if err := fstest.TestFS(files, slices.Sorted(maps.Keys(want))...); err != nil && len(want) > 0 {
		t.Errorf("Files(%q): %v", patterns, err)
	}
}

func testImageReads(t *testing.T, h ImageHarness) {
	for name, docker := range map[string]bool{"OCI": false, "Docker": true} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			want := testpayload.Must(testpayload.Spec{
				Docker: docker, Labels: map[string]string{"io.openshift.release": "4.17.1"},
				Layers: []testpayload.Layer{{Entries: []testpayload.Entry{testpayload.File("etc/motd", "hello")}}},
			}.Image())
			reg.Push(repository, "tag", want)
			for _, ref := range []imageref.Ref{reg.ByDigest(repository, want.Digest), reg.ByTag(repository, "tag")} {
				img, err := imageOf(t, p, request(ref))
				if err != nil {
					t.Fatal(err)
				}
				if img.Digest() != want.Digest || img.PulledFrom().IsZero() {
					t.Errorf("Digest %s, want %s; PulledFrom %s", img.Digest(), want.Digest, img.PulledFrom())
				}
				config, err := img.Config(limited(t))
				if err != nil || !bytes.Equal(config, want.Config().Bytes()) {
					t.Errorf("config %s, %v", config, err)
				}
				clear(config)
				if config, err = img.Config(limited(t)); err != nil || !json.Valid(config) {
					t.Errorf("after it was overwritten, the config is %q, %v", config, err)
				}
				wantFiles(t, img, map[string]string{"etc/motd": "hello"}, "etc/motd")
			}
		})
	}
}

func testImagePlatform(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	one := testpayload.Must(testpayload.Spec{Platform: amd64, Layers: []testpayload.Layer{{}}}.Image())
	two := testpayload.Must(testpayload.Spec{Platform: provider.Platform{OS: "linux", Architecture: "arm64"}, Layers: []testpayload.Layer{{}}}.Image())
	index := testpayload.Index(false, one, two)
	reg.Push(repository, "", index)
	for arch, want := range map[string]string{"amd64": one.Digest, "arm64": two.Digest} {
		img, err := imageOf(t, p, provider.Request{Image: reg.ByDigest(repository, index.Digest), Platform: provider.Platform{Architecture: arch}})
		if err != nil {
			t.Fatal(err)
		}
		if img.Digest() != want {
			t.Errorf("%s: Digest %s, want %s", arch, img.Digest(), want)
		}
		if c, err := img.Config(limited(t)); err != nil || !strings.Contains(string(c), `"`+arch+`"`) {
			t.Errorf("%s: config %s, %v", arch, c, err)
		}
	}
	_, err := imageOf(t, p, provider.Request{Image: reg.ByDigest(repository, index.Digest), Platform: provider.Platform{Architecture: "s390x"}})
	wantClass(t, err, provider.ClassNotFound)
}

func testImageInvalid(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	for _, c := range invalidRequests(reg) {
		_, err := imageOf(t, p, c.req)
		wantInvalid(t, reg, err, c.want)
	}
}

func testImageNotFound(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	_, err := imageOf(t, p, request(reg.ByTag(repository, "tag")))
	wantClass(t, err, provider.ClassNotFound)

	want := layers([]testpayload.Entry{testpayload.File("a/x", "x")})
	reg.Push(repository, "tag", want)
	img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	reg.Remove(repository, want.Config().Digest)
	reg.Remove(repository, want.Top().Digest)
	_, err = img.Config(limited(t))
	wantClass(t, err, provider.ClassNotFound)
	_, err = img.Files(limited(t), "a/x")
	wantClass(t, err, provider.ClassNotFound)
}

func testImageUnauthorized(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{Auth: testregistry.Auth{
		Scheme: testregistry.Bearer, Users: []testregistry.User{{Name: user, Password: password, Repositories: []string{repository}}},
	}})
	p := h.New(t, reg)
	want := layers([]testpayload.Entry{testpayload.File("a/x", "x")})
	reg.Push(repository, "tag", want)
	req := request(reg.ByTag(repository, "tag"))
	_, err := imageOf(t, p, req)
	wantClass(t, err, provider.ClassUnauthorized)
	req.Credentials = login(t, reg, provider.NewCredential(user, password))
	img, err := imageOf(t, p, req)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, img, map[string]string{"a/x": "x"}, "a/x")

	// A token that ran out meanwhile is no reason to fail.
	reg.ExpireTokens()
	if _, err := img.Config(limited(t)); err != nil {
		t.Errorf("with a new token to be had: %v", err)
	}
}

func testImageTampered(t *testing.T, h ImageHarness) {
	want := layers([]testpayload.Entry{testpayload.File("a/x", "good")})
	evil := layers([]testpayload.Entry{testpayload.File("a/x", "evil")})
	for name, c := range map[string]struct {
		match  testregistry.Match
		action testregistry.Action
	}{
		"manifest":        {manifestOf(want), testregistry.ServeManifest(evil)},
		"config":          {testregistry.Match{Kind: testregistry.Blob, Reference: want.Config().Digest}, testregistry.FlipByte(10)},
		"layer":           {topOf(want), testregistry.FlipByte(-1)},
		"another layer":   {topOf(want), testregistry.ServeBlob(evil.Top())},
		"truncated layer": {topOf(want), testregistry.Truncate(10)},
	} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			reg.Push(repository, "", want)
			reg.Fail(c.match, c.action)
			img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
			if err == nil && name == "config" {
				_, err = img.Config(limited(t))
			} else if err == nil {
				_, err = img.Files(limited(t), "a/**")
			}
			wantClass(t, err, provider.ClassDigest)
		})
	}
}

func testImageCancel(t *testing.T, h ImageHarness) {
	want := layers([]testpayload.Entry{testpayload.File("a/x", "x")})
	for name, match := range map[string]testregistry.Match{
		"manifest": manifestOf(want),
		"config":   {Kind: testregistry.Blob, Reference: want.Config().Digest},
		"layer":    topOf(want),
	} {
		t.Run(name, func(t *testing.T) {
			reg := serve(t, testregistry.Config{})
			p := h.New(t, reg)
			reg.Push(repository, "", want)
			reg.Fail(match, testregistry.Hang())
			ctx, cancel := context.WithCancel(limited(t))
			defer cancel()
			finish(t, "an image that its caller gave up", func() {
				go func() {
					_ = reg.Wait(ctx, 1, match)
					cancel()
				}()
				img, err := p.Image(ctx, request(reg.ByDigest(repository, want.Digest)))
				if err == nil && name == "config" {
					_, err = img.Config(ctx)
				} else if err == nil {
					_, err = img.Files(ctx, "a/**")
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

func testImageConcurrent(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	want := layers(
		[]testpayload.Entry{testpayload.File("a/x", "old"), testpayload.File("a/y", "y")},
		[]testpayload.Entry{testpayload.File("a/x", "new")})
	reg.Push(repository, "", want)
	img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := limited(t)
	together(16, func(i int) {
		one := img
		if i%2 == 0 {
			var err error
			if one, err = p.Image(ctx, request(reg.ByDigest(repository, want.Digest))); err != nil {
				t.Error(err)
				return
			}
		}
		if c, err := one.Config(ctx); err != nil || !bytes.Equal(c, want.Config().Bytes()) {
			t.Errorf("config %q, %v", c, err)
		}
		files, err := one.Files(ctx, "a/*")
		if err != nil {
			t.Error(err)
			return
		}
		if b, err := fs.ReadFile(files, "a/x"); err != nil || string(b) != "new" {
			t.Errorf("a/x is %q, %v", b, err)
		}
	})
}

package providertest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

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
			second := h.New(t, reg)
			if r, err = lookup(t, second, request(ref)); err != nil {
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

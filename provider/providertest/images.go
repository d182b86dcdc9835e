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
		{"NotFound", testImageNotFound},
		{"Unauthorized", testImageUnauthorized},
		{"Tampered", testImageTampered},
		{"Cancel", testImageCancel},
		{"Concurrent", testImageConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

// layers is an image of layers, from the bottom up, in every compression.
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

// testLayers checks that files are what a container would see.
func testLayers(t *testing.T, h ImageHarness) {
	type entries = []testpayload.Entry
	file, dir, link, hard := testpayload.File, testpayload.Dir, testpayload.Symlink, testpayload.HardLink
	whiteout, opaque := testpayload.Whiteout, testpayload.OpaqueWhiteout
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	for name, c := range map[string]struct {
		layers []entries
		want   map[string]string // of a/** and b
	}{
		"upper wins":               {[]entries{{file("a/x", "old"), file("a/y", "y")}, {file("a/x", "new")}}, map[string]string{"a/x": "new", "a/y": "y"}},
		"later entry wins":         {[]entries{{file("a/x", "old"), file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"dot slash":                {[]entries{{dir("./"), dir("./a/"), file("./a/x", "x")}}, map[string]string{"a/x": "x"}},
		"leading slash":            {[]entries{{file("/a/x", "x")}}, map[string]string{"a/x": "x"}},
		"dot slash over plain":     {[]entries{{file("a/x", "old")}, {file("./a/x", "new")}}, map[string]string{"a/x": "new"}},
		"whiteout":                 {[]entries{{file("a/x", "x"), file("a/y", "y")}, {whiteout("a/x")}}, map[string]string{"a/y": "y"}},
		"whiteout of a directory":  {[]entries{{file("a/d/x", "x"), file("a/y", "y")}, {whiteout("a/d")}}, map[string]string{"a/y": "y"}},
		"whiteout with dot slash":  {[]entries{{file("a/x", "x"), file("a/y", "y")}, {whiteout("./a/x")}}, map[string]string{"a/y": "y"}},
		"whiteout, then again":     {[]entries{{file("a/x", "old")}, {whiteout("a/x")}, {file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"whiteout in its layer":    {[]entries{{file("a/x", "old")}, {whiteout("a/x"), file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"opaque":                   {[]entries{{file("a/x", "x"), file("a/d/y", "y")}, {opaque("a"), file("a/z", "z")}}, map[string]string{"a/z": "z"}},
		"opaque after its files":   {[]entries{{file("a/x", "x")}, {file("a/z", "z"), opaque("a")}}, map[string]string{"a/z": "z"}},
		"opaque elsewhere":         {[]entries{{file("a/x", "x"), file("a/d/y", "y")}, {opaque("a/d")}}, map[string]string{"a/x": "x"}},
		"directory replaces file":  {[]entries{{file("a/x", "old")}, {dir("a/x"), file("a/x/y", "new")}}, map[string]string{"a/x/y": "new"}},
		"file replaces directory":  {[]entries{{file("a/x/y", "old"), file("a/z", "z")}, {file("a/x", "new")}}, map[string]string{"a/x": "new", "a/z": "z"}},
		"directory keeps files":    {[]entries{{file("a/x", "x")}, {dir("a")}}, map[string]string{"a/x": "x"}},
		"hard link":                {[]entries{{file("other", "text"), hard("a/x", "other")}}, map[string]string{"a/x": "text"}},
		"hard link with dot slash": {[]entries{{file("./other", "text"), hard("./a/x", "./other")}}, map[string]string{"a/x": "text"}},
		"hard link to lower layer": {[]entries{{file("other", "text")}, {hard("a/x", "other")}}, map[string]string{"a/x": "text"}},
		"symlink":                  {[]entries{{file("other", "text"), link("a/x", "../other")}}, map[string]string{"a/x": "text"}},
		"absolute symlink":         {[]entries{{file("other", "text"), link("a/x", "/other")}}, map[string]string{"a/x": "text"}},
		"symlink across layers":    {[]entries{{link("a/x", "../other")}, {file("other", "text")}}, map[string]string{"a/x": "text"}},
		"symlink to upper file":    {[]entries{{file("other", "old"), link("a/x", "../other")}, {file("other", "new")}}, map[string]string{"a/x": "new"}},
		"symlink to symlink":       {[]entries{{file("c", "text"), link("other", "c"), link("a/x", "/other")}}, map[string]string{"a/x": "text"}},
		"symlinked directory":      {[]entries{{file("real/x", "text"), link("b", "real/x")}}, map[string]string{"b": "text"}},
		"through symlinked parent": {[]entries{{file("real/x", "text"), link("way", "real"), link("b", "way/x")}}, map[string]string{"b": "text"}},
		"file replaces symlink":    {[]entries{{file("other", "old"), link("a/x", "../other")}, {file("a/x", "new")}}, map[string]string{"a/x": "new"}},
		"empty file":               {[]entries{{file("a/x", "")}}, map[string]string{"a/x": ""}},
		"nothing":                  {[]entries{{file("c", "c")}}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			var all [][]testpayload.Entry
			all = append(all, c.layers...)
			want := layers(all...)
			reg.Push(repository, "", want)
			img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, img, c.want, "a/**", "b")
		})
	}
}

func testPatterns(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	want := layers([]testpayload.Entry{
		testpayload.File("etc/os-release", "1"), testpayload.File("etc/mcc/templates/a", "2"),
		testpayload.File("etc/mcc/templates/deep/b", "3"), testpayload.File("usr/bin/tool", "4"), testpayload.File("usr/bin/tool.rhel9", "5"),
		testpayload.File("usr/binary", "6"), testpayload.File("[x]", "7"),
	})
	reg.Push(repository, "", want)
	img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		patterns []string
		want     map[string]string
	}{
		{[]string{"etc/os-release"}, map[string]string{"etc/os-release": "1"}},
		{[]string{"etc/*"}, map[string]string{"etc/os-release": "1"}},
		{[]string{"etc/mcc/**"}, map[string]string{"etc/mcc/templates/a": "2", "etc/mcc/templates/deep/b": "3"}},
		{[]string{"usr/bin/tool*"}, map[string]string{"usr/bin/tool": "4", "usr/bin/tool.rhel9": "5"}},
		{[]string{"usr/bin/**"}, map[string]string{"usr/bin/tool": "4", "usr/bin/tool.rhel9": "5"}},
		{[]string{"usr/bin/tool", "etc/os-release"}, map[string]string{"usr/bin/tool": "4", "etc/os-release": "1"}},
		{[]string{"usr/???/tool"}, map[string]string{"usr/bin/tool": "4"}},
		{[]string{`\[x\]`}, map[string]string{"[x]": "7"}},
		{[]string{"tool"}, map[string]string{}},
		{[]string{"usr/bin"}, map[string]string{}},
	} {
		wantFiles(t, img, c.want, c.patterns...)
	}
	if files, err := img.Files(limited(t), "[x"); err == nil {
		t.Errorf("a malformed pattern matches %v", files)
	}
}

// testEscapes checks that nothing leaves the image, and that what is not there
// is not made up.
func testEscapes(t *testing.T, h ImageHarness) {
	reg := serve(t, testregistry.Config{})
	p := h.New(t, reg)
	for name, entries := range map[string][]testpayload.Entry{
		"name with dots":             {testpayload.File("../a/x", "evil"), testpayload.File("a/../../b", "evil")},
		"symlink out":                {testpayload.Symlink("a/x", "../../../../../../etc/passwd"), testpayload.Symlink("b", "/etc/passwd")},
		"hard link out":              {testpayload.HardLink("a/x", "../../etc/passwd")},
		"symlink to nothing":         {testpayload.Symlink("a/x", "nothing")},
		"hard link to nothing":       {testpayload.HardLink("a/x", "nothing")},
		"symlink loop":               {testpayload.Symlink("a/x", "y"), testpayload.Symlink("a/y", "x")},
		"symlink to itself":          {testpayload.Symlink("b", "b")},
		"file below a symlink out":   {testpayload.Symlink("a", "/etc"), testpayload.File("a/x", "evil")},
		"device":                     {{Name: "b", Type: '3'}},
		"named pipe":                 {{Name: "b", Type: '6'}},
		"whiteout of what is not":    {testpayload.Whiteout("a/x")},
		"whiteout of the root":       {{Name: ".wh."}, {Name: ".wh.."}, {Name: "a/.wh..."}},
		"a whiteout's name with dot": {testpayload.Whiteout("../a/x")},
	} {
		t.Run(name, func(t *testing.T) {
			want := layers(entries)
			reg.Push(repository, "", want)
			img, err := imageOf(t, p, request(reg.ByDigest(repository, want.Digest)))
			if err != nil {
				t.Fatal(err)
			}
			files, err := img.Files(limited(t), "a/**", "b", "etc/**")
			if err != nil { // to refuse the layer is as good
				wantClass(t, err, provider.ClassMalformed, provider.ClassLimit)
				return
			}
			err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				if !fs.ValidPath(name) {
					t.Errorf("a file named %q", name)
				}
				if b, err := fs.ReadFile(files, name); err == nil && strings.Contains(string(b), "root:") {
					t.Errorf("%s is a file of this machine", name)
				}
				return nil
			})
			if err != nil {
				t.Errorf("walking: %v", err)
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

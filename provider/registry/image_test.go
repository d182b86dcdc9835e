package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// component returns an image as operators ship them: a base, and what is theirs on top.
func component() testpayload.Image {
	return testpayload.Must(testpayload.Spec{
		Labels: map[string]string{"io.openshift.release.operator": "true"},
		Layers: []testpayload.Layer{
			{Entries: []testpayload.Entry{testpayload.File("etc/os-release", "base"), testpayload.File("manifests/old.yaml", "old"), testpayload.File("usr/bin/tool", "v1")}},
			{Entries: []testpayload.Entry{testpayload.Whiteout("manifests/old.yaml"), testpayload.File("manifests/new.yaml", "new"), testpayload.Executable("usr/bin/tool", "v2")}, Compression: testpayload.Zstd},
		},
	}.Image())
}

func TestImage(t *testing.T) {
	img := component()
	reg := start(t, testregistry.Config{Auth: testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{alice}}})
	ref := reg.ByDigest(repo, reg.Push(repo, "", img))
	p := open(t, reg)
	i, err := p.Image(t.Context(), at(t, ref, provider.NewCredential("alice", secretPassword)))
	if err != nil {
		t.Fatal(err)
	}
	if i.Digest() != img.Digest || i.PulledFrom() != ref || reg.Count(manifests) != 2 || reg.Count(blobs) != 0 {
		t.Errorf("%s from %s, %d requests", i.Digest(), i.PulledFrom(), reg.Count())
	}

	config, err := i.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Config struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(config, &doc); err != nil || doc.Config.Labels["io.openshift.release.operator"] != "true" {
		t.Errorf("%v, %s", err, config)
	}

	for _, tt := range []struct {
		patterns []string
		want     string
		blobs    int
	}{
		{[]string{"usr/bin/tool"}, "usr/bin/tool=v2", 1},
		{[]string{"manifests/**"}, "manifests/new.yaml=new", 2},
		{[]string{"manifests/old.yaml"}, "", 1},
		{[]string{"etc/os-release", "usr/bin/tool"}, "etc/os-release=base usr/bin/tool=v2", 2},
		{nil, "", 0},
	} {
		reg.ResetLog()
		f, err := i.Files(t.Context(), tt.patterns...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b, _ := fs.ReadFile(f, name)
				got = append(got, name+"="+string(b))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		if s := strings.Join(got, " "); s != tt.want || reg.Count(blobs) != tt.blobs || reg.Count() != tt.blobs {
			t.Errorf("%v: got %q with %d blobs, want %q with %d", tt.patterns, s, reg.Count(blobs), tt.want, tt.blobs)
		}
	}
	if f, err := i.Files(t.Context(), "usr/bin/tool"); err != nil {
		t.Error(err)
	} else if info, err := fs.Stat(f, "usr/bin/tool"); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, err := i.Files(t.Context(), "/etc/passwd"); err == nil {
		t.Error("a leading slash is taken")
	}

	// It is safe for concurrent use.
	var g errgroup.Group
	for n := range 8 {
		g.Go(func() error {
			if n%2 == 0 {
				_, err := i.Config(t.Context())
				return err
			}
			_, err := i.Files(t.Context(), "**")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestImageErrors(t *testing.T) {
	img := component()
	reg := start(t, testregistry.Config{})
	ref := reg.ByDigest(repo, reg.Push(repo, "", img))
	i, err := open(t, reg, func(c *registry.Config) { c.Limits.Files = 3 }).Image(t.Context(), request(ref))
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.Files(t.Context(), "manifests/**", "usr/**")
	wantError(t, err, provider.ClassLimit, "more than 3 bytes")

	for _, tt := range []struct {
		digest string
		call   func() error
	}{
		{img.Config().Digest, func() error { _, err := i.Config(t.Context()); return err }},
		{img.Top().Digest, func() error { _, err := i.Files(t.Context(), "x"); return err }},
	} {
		m := testregistry.Match{Reference: tt.digest}
		for action, class := range map[*testregistry.Action]provider.Class{
			ptr(testregistry.FlipByte(5)): provider.ClassDigest, ptr(testregistry.Status(404)): provider.ClassNotFound,
			ptr(testregistry.CutOff(3)): provider.ClassUnreachable, ptr(testregistry.Truncate(3)): provider.ClassDigest,
		} {
			remove := reg.Fail(m, *action)
			e := wantError(t, tt.call(), class, "reading")
			if e.Ref != ref {
				t.Errorf("%v: the error names %s", action, e.Ref)
			}
			remove()
		}
	}
}

// A mistake in the request is told before anybody is asked.
func TestInvalidRequests(t *testing.T) {
	reg := start(t, testregistry.Config{})
	ref := reg.ByDigest(repo, reg.Push(repo, "", component()))
	p := open(t, reg)
	i, err := p.Image(t.Context(), request(ref))
	if err != nil {
		t.Fatal(err)
	}
	reg.ResetLog()
	for _, bad := range []string{"", "/etc/os-release", "etc/", "etc/../x", "["} {
		_, err := i.Files(t.Context(), "etc/os-release", bad)
		if !errors.Is(err, path.ErrBadPattern) || provider.ClassOf(err) != provider.ClassInvalid || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, tt := range []struct {
		req  provider.Request
		want error
	}{
		{provider.Request{}, policy.ErrNoImage},
		{provider.Request{Image: ref, Platform: provider.Platform{Architecture: "linux/amd64"}}, provider.ErrInvalidPlatform},
		{provider.Request{Image: mustParse(t, reg.Host()+"/a@sha384:"+strings.Repeat("0", 96))}, provider.ErrInvalidRequest},
	} {
		_, lookup := p.Lookup(t.Context(), tt.req)
		_, opened := p.Open(t.Context(), tt.req, "")
		_, image := p.Image(t.Context(), tt.req)
		for _, err := range []error{lookup, opened, image} {
			if !errors.Is(err, tt.want) || provider.ClassOf(err) != provider.ClassInvalid {
				t.Errorf("%v; want %v", err, tt.want)
			}
		}
	}
	if n := reg.Count(); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func ptr[T any](v T) *T { return &v }

// The URLs of a foreign layer are an image's word on whom to ask. Nobody asks.
func TestForeignLayers(t *testing.T) {
	elsewhere := start(t, testregistry.Config{})
	l := testpayload.Release{Components: 2, Manifests: -1}.Layer()
	l.MediaType, l.URLs = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", []string{elsewhere.URL() + "/layer"}
	reg := start(t, testregistry.Config{CA: elsewhere.CA()})
	req := request(reg.ByDigest(repo, reg.Push(repo, "", testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{l}}.Image()))))
	if _, err := open(t, reg).Lookup(t.Context(), req); err != nil {
		t.Error(err)
	}
	reg.Fail(blobs, testregistry.Status(404))
	_, err := open(t, reg).Lookup(t.Context(), req)
	wantError(t, err, provider.ClassNotFound, "")
	if n := elsewhere.Main().Stats().Connections; n != 0 {
		t.Errorf("%d connections elsewhere", n)
	}
}

// Layer semantics decide what the release is, and nothing is read below it.
func TestReleaseLayers(t *testing.T) {
	release := testpayload.Release{Components: 2, Manifests: -1, BootImages: testpayload.NoBootImages}
	refs := string(release.ImageReferences())
	file := testpayload.File
	for _, tt := range []struct {
		name   string
		layers [][]testpayload.Entry // from the bottom up
		blobs  int
		ok     bool
	}{
		{"on top", [][]testpayload.Entry{{file("base", "")}, {file(testpayload.ImageReferencesFile, refs)}}, 1, true},
		{"with ./", [][]testpayload.Entry{{file("base", "")}, {file("./"+testpayload.ImageReferencesFile, refs)}}, 1, true},
		{"below", [][]testpayload.Entry{{file("base", "")}, {file(testpayload.ImageReferencesFile, refs)}, {file("etc/x", "")}}, 2, true},
		{"hard link", [][]testpayload.Entry{{file("base", "")}, {file("x", refs), testpayload.HardLink(testpayload.ImageReferencesFile, "x")}}, 1, true},
		{"symlink", [][]testpayload.Entry{{file("base", "")}, {file("x", refs), testpayload.Symlink(testpayload.ImageReferencesFile, "../x")}}, 1, true},
		{"linked directory", [][]testpayload.Entry{{file("base", "")}, {file("real/image-references", refs), testpayload.Symlink("release-manifests", "real")}}, 1, true},
		{"whiteout", [][]testpayload.Entry{{file(testpayload.ImageReferencesFile, refs)}, {testpayload.Whiteout(testpayload.ImageReferencesFile)}}, 1, false},
		{"opaque", [][]testpayload.Entry{{file(testpayload.ImageReferencesFile, refs)}, {testpayload.OpaqueWhiteout("release-manifests")}}, 1, false},
		{"replaced", [][]testpayload.Entry{{file(testpayload.ImageReferencesFile, "not JSON")}, {testpayload.OpaqueWhiteout("release-manifests"), file(testpayload.ImageReferencesFile, refs)}}, 1, true},
	} {
		for c := testpayload.Gzip; c <= testpayload.Uncompressed; c++ {
			t.Run(fmt.Sprintf("%s %d", tt.name, c), func(t *testing.T) {
				var spec testpayload.Spec
				for _, entries := range tt.layers {
					spec.Layers = append(spec.Layers, testpayload.Layer{Entries: entries, Compression: c})
				}
				reg := start(t, testregistry.Config{})
				r, err := open(t, reg).Lookup(t.Context(), request(reg.ByDigest(repo, reg.Push(repo, "", testpayload.Must(spec.Image())))))
				if (err == nil) != tt.ok {
					t.Fatalf("got %v", err)
				}
				if err == nil && r.Version() != "4.17.3" {
					t.Errorf("version %s", r.Version())
				} else if err != nil {
					wantError(t, err, provider.ClassMalformed, "not a release image")
				}
				if n := reg.Count(blobs); n != tt.blobs {
					t.Errorf("%d layers were fetched, want %d", n, tt.blobs)
				}
			})
		}
	}
}

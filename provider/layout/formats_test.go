package layout_test

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/layout"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testlayout"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

const repository = "openshift/release"

var (
	amd64 = provider.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = provider.Platform{OS: "linux", Architecture: "arm64"}
)

// release returns a small release image.
func release(version string, p provider.Platform) testpayload.Image {
	return testpayload.Must(testpayload.Release{Version: version, Components: 5, Manifests: 2, BaseLayers: []int64{3000, 5000}, Platform: p}.Image())
}

// component returns an image of its own content.
func component(name string) testpayload.Image {
	return testpayload.Must(testpayload.Spec{Docker: true, Labels: map[string]string{"name": name}, Layers: []testpayload.Layer{
		{Entries: []testpayload.Entry{testpayload.File("etc/base", "shared by all")}},
		{Entries: []testpayload.Entry{testpayload.File("etc/name", name)}},
	}}.Image())
}

// formats write the same images in every format; each returns what is to be opened.
func formats() map[string]func(t *testing.T, images ...testlayout.Named) []string {
	in := func(w testlayout.Write) func(*testing.T, ...testlayout.Named) []string {
		return func(t *testing.T, images ...testlayout.Named) []string {
			dir := t.TempDir()
			must(t, w(dir, images...))
			return []string{dir}
		}
	}
	inTar := func(w testlayout.Write) func(*testing.T, ...testlayout.Named) []string {
		return func(t *testing.T, images ...testlayout.Named) []string {
			file := filepath.Join(t.TempDir(), "a.tar")
			must(t, testlayout.Tar(file, in(w)(t, images...)[0], nil))
			return []string{file}
		}
	}
	inFolder := func(w testlayout.Write) func(*testing.T, ...testlayout.Named) []string {
		return func(t *testing.T, images ...testlayout.Named) []string {
			dir, file := t.TempDir(), filepath.Join(t.TempDir(), "a.tar")
			inner := filepath.Join(dir, "mnt", "usb")
			must(t, os.MkdirAll(inner, 0o700))
			must(t, w(inner, images...))
			must(t, testlayout.Tar(file, dir, nil))
			return []string{file}
		}
	}
	archive := func(dir string, images ...testlayout.Named) error { return testlayout.Archive(dir, 3, nil, images...) }
	return map[string]func(*testing.T, ...testlayout.Named) []string{
		"OCI layout":               in(testlayout.OCI),
		"OCI archive":              inTar(testlayout.OCI),
		"oc":                       in(testlayout.OC),
		"oc in a tar":              inTar(testlayout.OC),
		"OCI in a folder in a tar": inFolder(testlayout.OCI),
		"oc in a folder in a tar":  inFolder(testlayout.OC),
		"registry":                 in(testlayout.Storage),
		"cache": in(func(dir string, images ...testlayout.Named) error {
			return testlayout.Storage(filepath.Join(dir, ".oc-mirror", ".cache"), images...)
		}),
		"registry's own folder": func(t *testing.T, images ...testlayout.Named) []string {
			return []string{filepath.Join(in(testlayout.Storage)(t, images...)[0], "docker/registry/v2")}
		},
		"oc-mirror": in(archive),
		"oc-mirror's files": func(t *testing.T, images ...testlayout.Named) []string {
			files, err := filepath.Glob(filepath.Join(in(archive)(t, images...)[0], "mirror_*.tar"))
			must(t, err)
			return files
		},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, paths ...string) *layout.Store {
	t.Helper()
	s, err := layout.Open(paths...)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func byDigest(digest string) imageref.Ref {
	return imageref.MustParse("quay.io/openshift-release-dev/ocp-release@" + digest)
}

// Every format gives the same answers.
func TestFormats(t *testing.T) {
	one, two := release("4.17.3", amd64), release("4.17.3", arm64)
	index := testpayload.Index(false, one, two)
	etcd := component("etcd")
	for name, write := range formats() {
		t.Run(name, func(t *testing.T) {
			s := open(t, write(t, testlayout.Named{Name: repository + ":4.17.3-multi", Image: index}, testlayout.Named{Name: repository + ":4.17.3-etcd", Image: etcd})...)
			for _, ref := range []imageref.Ref{
				byDigest(index.Digest),
				imageref.MustParse("quay.io/" + repository + ":4.17.3-multi"),
				imageref.MustParse("quay.io/openshift-release-dev/ocp-release:4.17.3-multi"), // another repository
			} {
				for p, want := range map[provider.Platform]testpayload.Image{amd64: one, arm64: two} {
					r, err := s.Lookup(t.Context(), provider.Request{Image: ref, Platform: p})
					must(t, err)
					if r.Version() != "4.17.3" || r.Digest() != want.Digest || r.IndexDigest() != index.Digest || r.PulledFrom() != ref || len(r.IndexPlatforms()) != 2 {
						t.Errorf("%s: version %s, digest %s of index %s, from %s", ref, r.Version(), r.Digest(), r.IndexDigest(), r.PulledFrom())
					}
				}
				if digest, err := s.Complete().Head(t.Context(), provider.Request{Image: ref}); err != nil || digest != index.Digest {
					t.Errorf("%s: %s, %v", ref, digest, err)
				}
			}
			names, err := s.Names()
			if err != nil || len(names) != 2 || names[1].Tag != "4.17.3-multi" || names[1].Digest != index.Digest || !strings.HasSuffix(names[0].Repository, repository) {
				t.Errorf("names %v, %v", names, err)
			}
			if tags, err := s.Tags(t.Context(), provider.Request{Image: imageref.MustParse("docker.io/" + repository)}); err != nil || !slices.Equal(tags, []string{"4.17.3-etcd", "4.17.3-multi"}) {
				t.Errorf("tags %v, %v", tags, err)
			}
			_, err = s.Tags(t.Context(), provider.Request{Image: imageref.MustParse("quay.io/a/b")})
			wantClass(t, err, provider.ClassNotFound, "quay.io/a/b")
			_, err = s.Lookup(t.Context(), provider.Request{Image: imageref.MustParse("quay.io/a/b:4.18.0")})
			wantClass(t, err, provider.ClassNotFound, "4.18.0", s.Paths()[0])
			_, err = s.Lookup(t.Context(), provider.Request{Image: byDigest(testpayload.Digest([]byte("another")))})
			wantClass(t, err, provider.ClassNotFound, testpayload.Digest([]byte("another")), s.Paths()[0])
		})
	}
}

// A dir: folder has one image without a name.
func TestDir(t *testing.T) {
	dir := t.TempDir()
	index := testpayload.Index(true, release("4.17.3", amd64), release("4.17.3", arm64))
	must(t, testlayout.Dir(dir, testlayout.Named{Image: index}))
	s := open(t, dir)
	r, err := s.Lookup(t.Context(), provider.Request{Image: byDigest(index.Digest), Platform: arm64})
	if err != nil || r.Version() != "4.17.3" {
		t.Error(err)
	}
	if _, err := s.Complete().Head(t.Context(), provider.Request{Image: byDigest(index.Digest)}); err != nil {
		t.Error(err)
	}
	if names, err := s.Names(); err != nil || len(names) != 1 || names[0].Digest != index.Digest {
		t.Errorf("%v, %v", names, err)
	}
	_, err = s.Lookup(t.Context(), provider.Request{Image: byDigest(testpayload.Digest(nil))})
	wantClass(t, err, provider.ClassNotFound)
}

func wantClass(t *testing.T, err error, class provider.Class, words ...string) {
	t.Helper()
	if err == nil || provider.ClassOf(err) != class {
		t.Errorf("error %v is of class %s; want %s", err, provider.ClassOf(err), class)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not name %q", err, w)
		}
	}
}

// blobFiles returns the files of a folder by the digest of their content.
func blobFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		all[testpayload.Digest(b)] = name
		return err
	}))
	return all
}

// What happens to content on its way is found and named, in every folder format: the
// check hashes everything, and a lookup never hands out what it should not.
func TestDamage(t *testing.T) {
	img := release("4.17.3", amd64)
	other := release("4.17.4", amd64)
	secret := filepath.Join(t.TempDir(), "secret")
	for format, write := range map[string]testlayout.Write{"OCI": testlayout.OCI, "oc": testlayout.OC, "registry": testlayout.Storage, "dir": testlayout.Dir} {
		for damage, do := range map[string]struct {
			to    func(t *testing.T, name string)
			class provider.Class
		}{
			"truncated": {func(t *testing.T, name string) { must(t, os.Truncate(name, 100)) }, provider.ClassDigest},
			"corrupted": {func(t *testing.T, name string) {
				b, err := os.ReadFile(name)
				must(t, err)
				b[len(b)/2] ^= 1
				must(t, os.WriteFile(name, b, 0o600))
			}, provider.ClassDigest},
			"swapped": {func(t *testing.T, name string) {
				if err := os.WriteFile(name, other.Manifest, 0o600); err != nil {
					t.Fatal(err)
				}
			}, provider.ClassDigest},
			"removed": {func(t *testing.T, name string) { must(t, os.Remove(name)) }, provider.ClassNotFound},
			"a symbolic link out of the folder": {func(t *testing.T, name string) {
				b, err := os.ReadFile(name) // the very content: it is not followed all the same
				must(t, err)
				must(t, os.WriteFile(secret, b, 0o600))
				must(t, os.Remove(name))
				must(t, os.Symlink(secret, name))
			}, provider.ClassMalformed},
			"a folder": {func(t *testing.T, name string) {
				must(t, os.Remove(name))
				must(t, os.Mkdir(name, 0o700))
			}, provider.ClassMalformed},
		} {
			for what, digest := range map[string]string{"manifest": img.Digest, "config": img.Config().Digest, "layer": img.Top().Digest, "base": img.Layers()[0].Digest} {
				t.Run(strings.Join([]string{format, damage, what}, "/"), func(t *testing.T) {
					dir := t.TempDir()
					must(t, write(dir, testlayout.Named{Name: repository + ":4.17.3", Image: img}))
					do.to(t, blobFiles(t, dir)[digest])
					if what == "manifest" && format == "dir" {
						return // no file says which digest it had; TestDir has it
					}
					s := open(t, dir)
					_, err := s.Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)})
					wantClass(t, err, do.class, digest[len("sha256:"):])
					_, err = s.Lookup(t.Context(), provider.Request{Image: byDigest(img.Digest)})
					if what == "manifest" || what == "layer" {
						wantClass(t, err, do.class, digest[len("sha256:"):])
					} else if err != nil { // a release is read from its top layer
						t.Error(err)
					}
				})
			}
		}
	}
}

// All faults of an image are told, and blobs that images share are read once.
func TestComplete(t *testing.T) {
	a, b := component("a"), component("b")
	dir := t.TempDir()
	must(t, testlayout.OCI(dir, testlayout.Named{Name: "a", Image: a}, testlayout.Named{Name: "b", Image: b}))
	s := open(t, dir)
	c := s.Complete()
	sizes := make(map[string]int64)
	for _, img := range []testpayload.Image{a, b} {
		for _, l := range img.Blobs {
			sizes[l.Digest] = l.Size
		}
		if _, err := c.Head(t.Context(), provider.Request{Image: byDigest(img.Digest)}); err != nil {
			t.Error(err)
		}
	}
	var want int64
	for size := range maps.Values(sizes) {
		want += size
	}
	if len(sizes) != 5 || c.Bytes() != want {
		t.Errorf("%d bytes read, want %d of %d blobs", c.Bytes(), want, len(sizes))
	}
	files := blobFiles(t, dir)
	must(t, os.Remove(files[a.Config().Digest]))
	must(t, os.Remove(files[a.Top().Digest]))
	_, err := s.Complete().Head(t.Context(), provider.Request{Image: byDigest(a.Digest)})
	wantClass(t, err, provider.ClassNotFound, "the config", "layer 2 of 2", a.Top().Digest)
	must(t, os.WriteFile(files[a.Layers()[0].Digest], make([]byte, a.Layers()[0].Size), 0o600))
	_, err = s.Complete().Head(t.Context(), provider.Request{Image: byDigest(a.Digest)})
	wantClass(t, err, provider.ClassDigest, "layer 1 of 2")
}

// Mirroring tools leave out the platforms that nobody asked for.
func TestSparseIndex(t *testing.T) {
	one, two := release("4.17.3", amd64), release("4.17.3", arm64)
	index := testpayload.Index(false, one, two)
	dir := t.TempDir()
	must(t, testlayout.Storage(dir, testlayout.Named{Name: repository + ":x", Image: index}))
	files := blobFiles(t, dir)
	must(t, os.Remove(files[two.Digest]))
	s := open(t, dir)
	req := provider.Request{Image: byDigest(index.Digest)}
	if _, err := s.Complete().Head(t.Context(), req); err != nil {
		t.Error(err)
	}
	req.Platform = arm64
	_, err := s.Complete().Head(t.Context(), req)
	wantClass(t, err, provider.ClassNotFound, two.Digest)
	must(t, os.Remove(files[one.Digest]))
	req.Platform = provider.Platform{}
	_, err = s.Complete().Head(t.Context(), req)
	wantClass(t, err, provider.ClassNotFound, index.Digest, "none of the manifests")
}

// A differential archive is read together with the earlier ones; alone it says where the
// rest is.
func TestDifferential(t *testing.T) {
	old := testlayout.Named{Name: repository + ":4.17.3-etcd", Image: component("etcd")}
	next := testlayout.Named{Name: repository + ":4.17.4-etcd", Image: component("etcd, newer")}
	first, second := t.TempDir(), t.TempDir()
	must(t, testlayout.Archive(first, 1, nil, old))
	must(t, testlayout.Archive(second, 2, []testlayout.Named{old}, old, next))
	for _, c := range []struct {
		paths []string
		image testlayout.Named
		words []string // nil where it is complete
	}{
		{[]string{second}, next, []string{"earlier archive", "layer 1 of 2"}}, // the base is shared
		{[]string{first}, old, nil},
		{[]string{first}, next, []string{"is not in"}},
		{[]string{first, second}, next, nil},
		{[]string{second, first}, old, nil},
	} {
		_, err := open(t, c.paths...).Complete().Head(t.Context(), provider.Request{Image: byDigest(c.image.Digest)})
		if c.words == nil {
			if err != nil {
				t.Errorf("%v, %s: %v", c.paths, c.image.Name, err)
			}
			continue
		}
		wantClass(t, err, provider.ClassNotFound, c.words...)
	}
}

// A tag that stands for different images is no answer.
func TestAmbiguousTag(t *testing.T) {
	dir := t.TempDir()
	must(t, testlayout.Storage(dir, testlayout.Named{Name: "a/x:v1", Image: component("a")}, testlayout.Named{Name: "b/x:v1", Image: component("b")}))
	s := open(t, dir)
	_, err := s.Head(t.Context(), provider.Request{Image: imageref.MustParse("h.test/c/x:v1")})
	wantClass(t, err, provider.ClassNotFound, "a/x:v1", "b/x:v1")
	if d, err := s.Head(t.Context(), provider.Request{Image: imageref.MustParse("h.test/b/x:v1")}); err != nil || d != component("b").Digest {
		t.Errorf("%s, %v", d, err)
	}
}

// oc's tags on Windows, and a tag file that says something else than a digest.
func TestOddNames(t *testing.T) {
	img := component("etcd")
	dir := t.TempDir()
	must(t, testlayout.OC(dir, testlayout.Named{Name: "r:x", Image: img}))
	for name := range maps.Values(blobFiles(t, dir)) {
		must(t, os.Rename(name, filepath.Join(filepath.Dir(name), strings.Replace(filepath.Base(name), ":", "-", 1))))
	}
	if _, err := open(t, dir).Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)}); err != nil {
		t.Error(err)
	}
	dir = t.TempDir()
	must(t, testlayout.Storage(dir, testlayout.Named{Name: "r:x", Image: img}, testlayout.Named{Name: "r:y", Image: img}))
	must(t, os.WriteFile(filepath.Join(dir, "docker/registry/v2/repositories/r/_manifests/tags/x/current/link"), []byte("../../secret"), 0o600))
	s := open(t, dir)
	names, err := s.Names()
	if err == nil || !strings.Contains(err.Error(), "r:x") || len(names) != 1 || names[0].Tag != "y" {
		t.Errorf("%v, %v", names, err)
	}
}

// What cannot be read says so, and what to do.
func TestOpenErrors(t *testing.T) {
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "mirror_000001.tar")
		must(t, os.WriteFile(name, []byte(content), 0o600))
		return name
	}
	folder := func(files map[string]string) string {
		dir := t.TempDir()
		for name, content := range files {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
		return dir
	}
	cut := filepath.Join(t.TempDir(), "cut.tar")
	dir := t.TempDir()
	must(t, testlayout.OCI(dir, testlayout.Named{Image: release("4.17.3", amd64)}))
	must(t, testlayout.Tar(cut, dir, nil))
	must(t, os.Truncate(cut, 4000))
	for what, words := range map[string][]string{
		filepath.Join(t.TempDir(), "absent"): {"absent", "no such file"},
		folder(nil):                          {"no format that is known"},
		file("\x1f\x8b\x08 compressed"):      {"gzip", "decompress it first"},
		file("not a tar archive at all, and long enough to be judged"): {"no tar archive"},
		cut: {"cut off", "copy it again"},
		folder(map[string]string{"oci-layout": `{"imageLayoutVersion":"2.0.0"}`, "index.json": "{}"}): {"imageLayoutVersion"},
		folder(map[string]string{"manifest.json": `[{"Config":"x","RepoTags":[]}]`}):                  {"docker-archive", "digest", "oci-archive"},
		folder(map[string]string{"publish/.metadata.json": "{}", "v2/a/manifests/x": ""}):             {"oc-mirror v1"},
	} {
		s, err := layout.Open(what)
		if err == nil {
			t.Errorf("%s: opened %v", what, s.Paths())
			continue
		}
		for _, w := range append(words, what) {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", what, err, w)
			}
		}
	}
	if _, err := layout.Open(); err == nil {
		t.Error("opened nothing")
	}
}

// An archive may hold entries that lead out of it, links that lead to each other, and
// names that no folder could have. None of them is read.
func TestHostileArchive(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	img := component("etcd")
	must(t, os.WriteFile(secret, img.Config().Bytes(), 0o600))
	hex := img.Config().Digest[len("sha256:"):]
	dir := t.TempDir()
	must(t, testlayout.OCI(dir, testlayout.Named{Image: img}))
	for what, target := range map[string]string{"out": secret, "up": "../../../../../../../../../.." + secret, "itself": hex} {
		at := filepath.Join(dir, "blobs/sha256", hex)
		must(t, os.Remove(at))
		must(t, os.Symlink(target, at))
		file := filepath.Join(t.TempDir(), "a.tar")
		must(t, testlayout.Tar(file, dir, nil))
		_, err := open(t, file).Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)})
		if wantClass(t, err, provider.ClassMalformed, "link", hex, file); t.Failed() {
			t.Fatal(what)
		}
	}
}

// A tar file of a folder is read as if it had been packed from within, and a link in it that
// leaves the folder leads nowhere, though something of that name is at the top now.
func TestLinkOutOfTheFolderInATar(t *testing.T) {
	img := component("etcd")
	dir := t.TempDir()
	inner := filepath.Join(dir, "usb")
	must(t, os.Mkdir(inner, 0o700))
	must(t, testlayout.OCI(inner, testlayout.Named{Image: img}))
	at := filepath.Join(inner, "blobs/sha256", img.Config().Digest[len("sha256:"):])
	must(t, os.Rename(at, filepath.Join(inner, "real")))
	must(t, os.Symlink("../../../real", at))
	file := filepath.Join(t.TempDir(), "a.tar")
	must(t, testlayout.Tar(file, dir, nil))
	_, err := open(t, file).Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)})
	wantClass(t, err, provider.ClassMalformed, "leads out")
	must(t, os.Remove(at))
	must(t, os.Symlink("../../real", at))
	must(t, testlayout.Tar(file, dir, nil))
	if _, err := open(t, file).Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)}); err != nil {
		t.Error(err)
	}
}

// Reading a large blob takes the memory of a buffer, and an archive that of its names.
func TestMemory(t *testing.T) {
	img := testpayload.Must(testpayload.Release{Version: "4.17.3", Components: 3, Manifests: 2, BaseLayers: []int64{64 << 20}}.Image())
	dir := t.TempDir()
	must(t, testlayout.OCI(dir, testlayout.Named{Name: "x", Image: img}))
	s := open(t, dir)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)})
	must(t, err)
	runtime.ReadMemStats(&after)
	got := after.TotalAlloc - before.TotalAlloc
	if got > 1<<20 {
		t.Errorf("%d bytes allocated for a layer of 64 MiB", got)
	}
}

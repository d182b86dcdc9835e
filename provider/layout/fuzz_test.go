package layout

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// memory is a tree of files by name.
type memory map[string][]byte

func (memory) path() string { return "memory" }
func (memory) close() error { return nil }

func (m memory) has(name string) bool {
	for key := range m {
		if key == name || strings.HasPrefix(key, name+"/") {
			return true
		}
	}
	return false
}

func (m memory) open(name string) (*file, error) {
	if b, ok := m[name]; ok {
		return inMemory(b), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func (m memory) list(dir string) ([]entry, error) {
	var all []entry
	for key := range m {
		if rest, ok := strings.CutPrefix(key, dir+"/"); ok {
			name, _, deeper := strings.Cut(rest, "/")
			all = append(all, entry{name, deeper})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(all), nil
}

var fuzzed = testpayload.Must(testpayload.Release{Version: "4.17.3", Components: 2, Manifests: 1, BaseLayers: []int64{100}}.Image())

// ask asks for everything that a tree may have. Whatever is in it, what is handed out has
// its digest.
func ask(t *testing.T, tr tree) {
	f, err := detect(tr)
	if err != nil || f == nil {
		return
	}
	s := newStore(part{tr, f})
	names, _ := s.Names()
	digests := []string{fuzzed.Digest}
	for _, n := range names {
		if _, err := hasher(n.Digest); err != nil {
			t.Errorf("%q is no digest", n.Digest)
		}
		digests = append(digests, n.Digest)
	}
	for _, d := range digests[:min(len(digests), 4)] {
		req := provider.Request{Image: imageref.MustParse("h.test/r@" + d)}
		if c, err := s.Content(t.Context(), req); err == nil {
			if got := testpayload.Digest(c.Manifest()); strings.HasPrefix(d, "sha256:") && got != d {
				t.Errorf("%s handed out for %s", got, d)
			}
		}
		r, err := s.Lookup(t.Context(), req)
		if err == nil && d == fuzzed.Digest && r.Version() != "4.17.3" {
			t.Errorf("%s is %s", d, r.Version())
		}
		if _, err := s.Complete().Head(t.Context(), req); err == nil && d == fuzzed.Digest {
			if _, err := s.Lookup(t.Context(), req); err != nil {
				t.Errorf("complete, and not readable: %v", err)
			}
		}
	}
}

// with returns the files of the image under the names that a format gives them.
func with(name func(digest string) string) memory {
	m := memory{name(fuzzed.Digest): fuzzed.Manifest}
	for _, b := range fuzzed.Blobs {
		m[name(b.Digest)] = b.Bytes()
	}
	return m
}

func hexOf(digest string) string { return digest[len("sha256:"):] }

func FuzzOCI(f *testing.F) {
	f.Add([]byte(`{"imageLayoutVersion":"1.0.0"}`), []byte(`{"manifests":[{"digest":"`+fuzzed.Digest+`","annotations":{"org.opencontainers.image.ref.name":"a/b:c"}}]}`), fuzzed.Manifest)
	f.Fuzz(func(t *testing.T, version, index, manifest []byte) {
		m := with(func(d string) string { return "blobs/sha256/" + hexOf(d) })
		m[ociFile], m[ociIndex], m["blobs/sha256/"+hexOf(fuzzed.Digest)] = version, index, manifest
		ask(t, m)
	})
}

func FuzzStorage(f *testing.F) {
	f.Add("openshift/release", "4.17.3", []byte(fuzzed.Digest), []byte(hexOf(fuzzed.Digest)+"\n"), fuzzed.Manifest)
	f.Fuzz(func(t *testing.T, repository, tag string, link, past, manifest []byte) {
		data := func(d string) string {
			return "docker/registry/v2/blobs/sha256/" + hexOf(d)[:2] + "/" + hexOf(d) + "/data"
		}
		m := with(data)
		m[data(fuzzed.Digest)] = manifest
		m[path.Join("docker/registry/v2/repositories", repository, "_manifests/tags", tag, "current/link")] = link
		m["working-dir/.history/.history-x"] = past
		ask(t, m)
	})
}

func FuzzOC(f *testing.F) {
	f.Add("openshift/release", "4.17.3", fuzzed.Manifest)
	f.Fuzz(func(t *testing.T, repository, tag string, manifest []byte) {
		m := with(func(d string) string { return path.Join("v2", repository, "blobs", d) })
		m[path.Join("v2", repository, "manifests", tag)] = manifest
		ask(t, m)
	})
}

func FuzzDir(f *testing.F) {
	f.Add(fuzzed.Manifest, fuzzed.Config().Bytes())
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		m := with(hexOf)
		m[singleManifest], m[hexOf(fuzzed.Config().Digest)] = manifest, config
		ask(t, m)
	})
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte{})
	f.Add(tarOf(f, map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": `{}`, "../out": "x", "/abs": "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := newArchive("fuzzed.tar", bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, name := range a.names {
			if !fs.ValidPath(name) {
				t.Errorf("%q leads out", name)
			}
			if f, err := a.open(name); err == nil {
				if _, err := readSmall(a, name); err == nil && f.size > int64(len(b)) {
					t.Errorf("%q has %d bytes, in an archive of %d", name, f.size, len(b))
				}
			}
		}
		if _, err := a.list("."); err != nil {
			t.Error(err)
		}
		ask(t, a)
	})
}

package registry_test

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// shelf keeps everything in memory.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (s *shelf) Get(digest string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.kept[digest]
	return b, ok
}

func (s *shelf) Put(digest string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = make(map[string][]byte)
	}
	s.kept[digest] = slices.Clone(b)
}

func keeping(s *shelf) func(*registry.Config) { return func(c *registry.Config) { c.Blobs = s } }

// What a release was read from is kept, and is enough to read it again.
func TestRestore(t *testing.T) {
	reg := start(t, testregistry.Config{})
	reg.Push(repo, "v", testpayload.Index(false, arm, old))
	kept := &shelf{}
	p := open(t, reg, keeping(kept))
	req := request(reg.ByTag(repo, "v"))
	first, err := p.Lookup(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(kept.kept)), slices.Sorted(slices.Values([]string{old.Digest, old.Top().Digest})); !slices.Equal(got, want) {
		t.Errorf("kept %q; want the manifest and the release layer, %q", got, want)
	}

	reg.ResetLog()
	second, err := open(t, reg, keeping(kept)).Lookup(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if reg.Count(manifests) != 2 || reg.Count(blobs) != 0 || second.Digest() != first.Digest() {
		t.Errorf("%d manifests, %d layers; want index and manifest, which are the proof, and no layer", reg.Count(manifests), reg.Count(blobs))
	}

	reg.ResetLog()
	r, err := open(t, reg, keeping(kept)).Restore(t.Context(), req, old.Digest, first.Platform())
	if err != nil {
		t.Fatal(err)
	}
	if reg.Count() != 0 {
		t.Errorf("%d requests; want none", reg.Count())
	}
	if r.Version() != "4.17.1" || r.Digest() != old.Digest || r.Platform() != first.Platform() || r.Image() != req.Image ||
		len(slices.Collect(r.Components())) != len(slices.Collect(first.Components())) {
		t.Errorf("restored %s %s %s as %s", r.Version(), r.Digest(), r.Platform(), r.Image())
	}
}

// R4: what is kept is believed no more than what a registry sends.
func TestRestoreIsVerified(t *testing.T) {
	flip := func(b []byte) []byte { b = slices.Clone(b); b[len(b)/2] ^= 1; return b }
	top := old.Top().Digest
	for name, spoil := range map[string]func(*shelf){
		"manifest missing":         func(s *shelf) { delete(s.kept, old.Digest) },
		"layer missing":            func(s *shelf) { delete(s.kept, top) },
		"a flipped byte in it":     func(s *shelf) { s.kept[old.Digest] = flip(s.kept[old.Digest]) },
		"a flipped byte, layer":    func(s *shelf) { s.kept[top] = flip(s.kept[top]) },
		"a truncated layer":        func(s *shelf) { s.kept[top] = s.kept[top][:100] },
		"another release's, whole": func(s *shelf) { s.kept[old.Digest], s.kept[top] = moved.Manifest, []byte{} },
		"nothing in them":          func(s *shelf) { s.kept[old.Digest], s.kept[top] = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			reg := start(t, testregistry.Config{})
			reg.Push(repo, "v", old)
			kept := &shelf{}
			p := open(t, reg, keeping(kept))
			if _, err := p.Lookup(t.Context(), request(reg.ByTag(repo, "v"))); err != nil {
				t.Fatal(err)
			}
			spoil(kept)
			reg.ResetLog()
			if r, err := p.Restore(t.Context(), request(reg.ByTag(repo, "v")), old.Digest, provider.Platform{}); !errors.Is(err, provider.ErrNotFound) || reg.Count() != 0 {
				t.Errorf("%v, %v after %d requests; want ErrNotFound after none", r, err, reg.Count())
			}
			r, err := p.Lookup(t.Context(), request(reg.ByTag(repo, "v")))
			if err != nil || r.Digest() != old.Digest {
				t.Errorf("%v, %v; want it from the registry", r, err)
			}
			if r, err := p.Restore(t.Context(), request(reg.ByTag(repo, "v")), old.Digest, provider.Platform{}); err != nil || r.Version() != "4.17.1" {
				t.Errorf("%v, %v; want what was fetched anew", r, err)
			}
		})
	}
}

// Images and their files are not kept: they may be large, and belong to whoever
// asked for them.
func TestImagesAreNotKept(t *testing.T) {
	reg := start(t, testregistry.Config{})
	reg.Push(repo, "v", old)
	kept := &shelf{}
	img, err := open(t, reg, keeping(kept)).Image(t.Context(), request(reg.ByTag(repo, "v")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := img.Files(t.Context(), "release-manifests/**"); err != nil {
		t.Fatal(err)
	}
	if len(kept.kept) != 0 {
		t.Errorf("%d blobs of an image are kept", len(kept.kept))
	}
}

func TestRestoreWithoutBlobs(t *testing.T) {
	p := open(t, nil)
	req := provider.Request{Image: start(t, testregistry.Config{}).ByTag(repo, "v")}
	if _, err := p.Restore(t.Context(), req, old.Digest, provider.Platform{}); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("%v; want ErrNotFound", err)
	}
}

// A layer is given to who has read it, or has a manifest that somebody read it by. To
// name its digest in a manifest of one's own is neither.
func TestKeptLayerOfAnother(t *testing.T) {
	reg := start(t, testregistry.Config{})
	reg.Push(repo, "v", old)
	kept := &shelf{}
	if _, err := open(t, reg, keeping(kept)).Lookup(t.Context(), request(reg.ByTag(repo, "v"))); err != nil {
		t.Fatal(err)
	}
	// The same layers in another manifest, of somebody who saw the first one's text once.
	theirs := old
	theirs.Manifest = bytes.Replace(old.Manifest, []byte(`"schemaVersion"`), []byte(`"annotations":{"by":"another"},"schemaVersion"`), 1)
	if bytes.Equal(theirs.Manifest, old.Manifest) {
		t.Fatal("the manifest is the same")
	}
	var asked atomic.Int32
	var has atomic.Bool
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			_, _ = w.Write(theirs.Manifest)
		case has.Load() && strings.HasSuffix(r.URL.Path, old.Top().Digest):
			asked.Add(1)
			_, _ = w.Write(old.Top().Bytes())
		default:
			asked.Add(1)
			w.WriteHeader(http.StatusNotFound)
		}
	})
	their := func() (*provider.Release, error) {
		return open(t, nil, trusting(other), keeping(kept)).Lookup(t.Context(), request(mustParse(t, hostOf(other)+"/x/y:1")))
	}
	for range 2 {
		if r, err := their(); !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%v, %v from what is kept; want the ErrNotFound of their registry", r, err)
		}
	}
	if n := asked.Swap(0); n != 2 {
		t.Errorf("their registry was asked for %d layers; want 2", n)
	}
	// Where their registry has it they have shown it, once.
	has.Store(true)
	for range 2 {
		if _, err := their(); err != nil {
			t.Fatal(err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("their registry was asked for %d layers; want 1", n)
	}
}

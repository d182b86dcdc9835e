package chain_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The tests in this file start one process after another, as far as that matters: a
// registry provider, a disk cache and a chain of their own over one directory.

// process returns one of them. Its grants expire at once unless ttl says otherwise.
func (s *site) process(t testing.TB, dir string, rules *policy.Rules, ttl time.Duration) *chain.Chain {
	t.Helper()
	disk, err := diskcache.Open(diskcache.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := registry.New(registry.Config{
		RootCAs: s.mirror.CA().Pool(), Dial: dialer(t), Blobs: disk,
		Timeouts: registry.Timeouts{Connect: time.Minute, FirstByte: time.Minute, Silence: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
	return newChain(t, p, rules,
		chain.Translate(chain.TranslateConfig{}), verifying(&fakeVerifier{id: "all"}),
		chain.Cache(chain.CacheConfig{State: disk.State()}), chain.Mirrors(chain.MirrorsConfig{Retries: -1}),
		chain.Store(chain.StoreConfig{State: disk.State(), GrantTTL: ttl}))
}

const expired = time.Nanosecond

// guarded returns a site whose registries want to know who asks.
func guarded(t testing.TB, img testpayload.Image) *site {
	return newSite(t, img, func(c *testregistry.Config, _ *policy.Rule) {
		c.Auth = testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{
			{Name: "one", Password: "x"}, {Name: "two", Password: "x"}, {Name: "one", Password: "rotated"},
		}}
	})
}

func (s *site) as(t testing.TB, user, password string, ref imageref.Ref) provider.Request {
	t.Helper()
	req := s.request(ref)
	if user == "" {
		return req
	}
	entries := make(map[string]provider.Credential)
	for _, r := range []*testregistry.Registry{s.source, s.mirror} {
		entries[r.Host()] = provider.NewCredential(user, password)
	}
	var err error
	if req.Credentials, err = provider.NewCredentials(entries); err != nil {
		t.Fatal(err)
	}
	return req
}

func (s *site) reset() {
	s.source.ResetLog()
	s.mirror.ResetLog()
}

// P12: without a network the releases of the last run are there, for whom they were.
func TestDiskWithoutNetwork(t *testing.T) {
	s := guarded(t, smallRelease(3))
	dir := filepath.Join(t.TempDir(), "cache")
	refs := map[string]imageref.Ref{"digest": s.digest, "tag": s.tag}
	first := make(map[string]*provider.Release)
	online := s.process(t, dir, s.rules, expired)
	for name, ref := range refs {
		first[name] = lookup(t, online, s.as(t, "one", "x", ref))
	}
	s.mirror.Down()
	s.source.Down()
	for name, ref := range refs {
		r := lookup(t, s.process(t, dir, s.rules, expired), s.as(t, "one", "x", ref))
		if !r.Stale() || r.Digest() != s.image.Digest || r.Image() != ref || r.PulledFrom() != first[name].PulledFrom() || r.Version() != first[name].Version() {
			t.Errorf("%s: stale %v, %s %s pulled from %s", name, r.Stale(), r.Image(), r.Version(), r.PulledFrom())
		}
		if a, b := slices.Collect(r.Components()), slices.Collect(first[name].Components()); len(a) != len(b) || len(a) == 0 || a[0].Image != b[0].Image {
			t.Errorf("%s: %d components, not the %d there were", name, len(a), len(b))
		}
		if failed := tried(slices.Collect(r.Attempts())); len(failed) != 2 || !strings.HasSuffix(failed[0], "unreachable") || !strings.HasSuffix(failed[1], "unreachable") {
			t.Errorf("%s: attempts %q; want why neither answered", name, failed)
		}
	}
	// A grant that is valid needs no endpoint, so the answer is not stale.
	if r := lookup(t, s.process(t, dir, s.rules, time.Hour), s.as(t, "one", "x", s.digest)); r.Stale() {
		t.Error("a digest with a valid grant is stale")
	}

	for name, req := range map[string]provider.Request{
		"another tenant":      s.as(t, "two", "x", s.digest),
		"another tenant, tag": s.as(t, "two", "x", s.tag),
		"nobody":              s.as(t, "", "", s.digest),
		"a rotated password":  s.as(t, "one", "rotated", s.digest),
		"another platform":    {Image: s.digest, Credentials: s.as(t, "one", "x", s.digest).Credentials, Platform: provider.Platform{OS: "linux", Architecture: "s390x"}},
	} {
		for _, ttl := range []time.Duration{expired, time.Hour} {
			if r, err := s.process(t, dir, s.rules, ttl).Lookup(t.Context(), req); !errors.Is(err, provider.ErrUnreachable) {
				t.Errorf("%s: %v, %v; want ErrUnreachable", name, r, err)
			}
		}
	}
	never := mirrored(s.source.Host()+"/"+repo, s.mirror.Host()+"/"+repo)
	never.NeverContactSource = true
	if r, err := s.process(t, dir, newRules(t, never), expired).Lookup(t.Context(), s.as(t, "one", "x", s.tag)); err == nil {
		t.Errorf("under other rules: %v; want an error", r)
	}
}

// Access that was withdrawn stays so, and a tag that was deleted is gone, whether or
// not somebody can be asked afterwards.
func TestDiskDenied(t *testing.T) {
	for name, deny := range map[string]func(*testregistry.Registry){
		"withdrawn": func(r *testregistry.Registry) {
			r.SetAuth(testregistry.Auth{Scheme: testregistry.Basic, Users: []testregistry.User{{Name: "two", Password: "x"}}})
		},
		"forbidden": func(r *testregistry.Registry) { r.Fail(manifests, testregistry.Status(403)) },
		"deleted":   func(r *testregistry.Registry) { r.Remove(repo, "4.17.3") },
	} {
		t.Run(name, func(t *testing.T) {
			s := guarded(t, smallRelease(3))
			dir, req := filepath.Join(t.TempDir(), "cache"), s.as(t, "one", "x", s.tag)
			lookup(t, s.process(t, dir, s.rules, expired), req)
			deny(s.mirror)
			deny(s.source)
			if r, err := s.process(t, dir, s.rules, expired).Lookup(t.Context(), req); err == nil {
				t.Errorf("denied, and served (stale: %v)", r.Stale())
			}
			s.mirror.Down()
			s.source.Down()
			if r, err := s.process(t, dir, s.rules, expired).Lookup(t.Context(), req); err == nil {
				t.Errorf("denied, then away, and served (stale: %v)", r.Stale())
			}
		})
	}
}

// What a restart, and the time after it, costs: small requests, and no layer.
func TestDiskRequests(t *testing.T) {
	arm := testpayload.Must(testpayload.Release{Version: "4.17.3", Components: 5, Manifests: 5, Platform: provider.Platform{OS: "linux", Architecture: "arm64"}}.Image())
	for name, img := range map[string]testpayload.Image{"manifest": smallRelease(3), "index": testpayload.Index(false, arm, smallRelease(3))} {
		t.Run(name, func(t *testing.T) {
			s := guarded(t, img)
			dir := filepath.Join(t.TempDir(), "cache")
			tag, digest := s.as(t, "one", "x", s.tag), s.as(t, "one", "x", s.digest)
			lookup(t, s.process(t, dir, s.rules, time.Hour), tag)
			for _, req := range []provider.Request{tag, digest} {
				lookup(t, s.process(t, dir, s.rules, expired), req)
			}

			want := func(what string, manifestRequests, layers int, bodies bool) {
				t.Helper()
				if m, b := s.mirror.Count(manifests), s.mirror.Count(blobs); m != manifestRequests || b != layers || s.source.Count() != 0 {
					t.Errorf("%s: %d manifests, %d layers, %d requests of the source; want %d, %d, 0", what, m, b, s.source.Count(), manifestRequests, layers)
				}
				if n := s.mirror.Bytes(); n != 0 && !bodies {
					t.Errorf("%s: %d bytes of bodies; want none", what, n)
				}
				s.reset()
			}
			s.reset()
			c := s.process(t, dir, s.rules, expired)
			lookup(t, c, tag)
			want("a tag after a restart", 1, 0, false)
			lookup(t, c, digest)
			want("a digest after a restart", 1, 0, false)
			lookup(t, c, tag)
			want("the tag, within its time", 0, 0, false)
			lookup(t, s.process(t, dir, s.rules, time.Hour), digest)
			want("a digest, while its grant is valid", 0, 0, false)
			first := 1 // for the grant of a new tenant
			if name == "index" {
				first = 2
			}
			lookup(t, s.process(t, dir, s.rules, expired), s.as(t, "two", "x", s.digest))
			want("another tenant after a restart", first, 0, true)

			moved := smallRelease(4)
			s.mirror.Push(repo, "4.17.3", moved)
			if r := lookup(t, s.process(t, dir, s.rules, expired), tag); r.Version() != "4.17.4" {
				t.Errorf("the moved tag is %s", r.Version())
			}
			want("a tag that moved", 1, 1, true)
		})
	}
}

// R4, R11: a flipped byte anywhere in the directory costs requests, and is never in a
// release.
func TestDiskDamage(t *testing.T) {
	s := guarded(t, smallRelease(3))
	dir, req := filepath.Join(t.TempDir(), "cache"), s.as(t, "one", "x", s.tag)
	good := lookup(t, s.process(t, dir, s.rules, expired), req)
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 5 { // manifest, layer, key, grants, answer
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(was)
		damaged[len(was)/2] ^= 1
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		r := lookup(t, s.process(t, dir, s.rules, expired), req)
		if r.Stale() || r.Digest() != good.Digest() || r.Version() != good.Version() || len(slices.Collect(r.Components())) != 5 {
			t.Errorf("%s damaged: %s %s", filepath.Base(path), r.Digest(), r.Version())
		}
	}
	// All of it was mended on the way.
	s.mirror.Down()
	s.source.Down()
	if r := lookup(t, s.process(t, dir, s.rules, expired), req); !r.Stale() || r.Version() != good.Version() {
		t.Errorf("afterwards: stale %v, %s", r.Stale(), r.Version())
	}
	// And without a network a damaged release is none.
	for _, path := range files {
		if strings.Contains(path, "blobs") {
			if err := os.Truncate(path, 10); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r, err := s.process(t, dir, s.rules, expired).Lookup(t.Context(), req); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("%v, %v; want ErrUnreachable", r, err)
	}
}

// With a disk the layers are providers like any other.
func TestDiskConformance(t *testing.T) {
	conformance(t, func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
		s := &site{mirror: reg}
		return s.process(t, filepath.Join(t.TempDir(), "cache"), newRules(t), 0)
	})
}

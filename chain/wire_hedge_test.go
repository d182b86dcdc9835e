package chain_test

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// twoMirrors is a site with a second mirror, whose limits are so long that only
// hedging brings an answer in time where the first one hangs.
type twoMirrors struct {
	*site
	second *testregistry.Registry
	cfg    chain.MirrorsConfig
}

func newTwoMirrors(t testing.TB, change ...func(*testregistry.Config, *policy.Rule)) *twoMirrors {
	t.Helper()
	var cfg testregistry.Config
	var rule policy.Rule
	s := &twoMirrors{cfg: chain.MirrorsConfig{Health: health.New(health.Config{})}}
	s.site = newSite(t, smallRelease(3), append(change, func(c *testregistry.Config, r *policy.Rule) { cfg, rule = *c, *r })...)
	second, err := testregistry.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	second.Push(repo, "4.17.3", s.image)
	s.second = second
	rule.Source = s.source.Host() + "/" + repo
	rule.Mirrors = []policy.Mirror{{Location: s.mirror.Host() + "/" + repo}, {Location: second.Host() + "/" + repo}}
	s.rules = newRules(t, rule)
	return s
}

// chain returns one that holds nothing yet.
func (s *twoMirrors) chain(t testing.TB) *chain.Chain {
	t.Helper()
	return newChain(t, s.registry, s.rules, chain.Cache(chain.CacheConfig{}), chain.Mirrors(s.cfg), chain.Store(chain.StoreConfig{}))
}

var silences = map[string]func(*testregistry.Registry){
	"accepts and is silent": func(r *testregistry.Registry) { _ = r.Mute() },
	"never answers":         func(r *testregistry.Registry) { r.Fail(testregistry.Match{}, testregistry.Hang()) },
}

// P5 over real sockets: the second mirror answers for one that is silent, the source is
// left alone, and the silent one is no longer ahead.
func TestSilentMirrorOverTheWire(t *testing.T) {
	for name, silence := range silences {
		for protocol, noHTTP2 := range map[string]bool{"http2": false, "http1": true} {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				s := newTwoMirrors(t, func(c *testregistry.Config, _ *policy.Rule) { c.NoHTTP2 = noHTTP2 })
				silence(s.mirror)
				r := lookup(t, s.chain(t), s.request(s.digest))
				wantList(t, "attempts", tried(slices.Collect(r.Attempts())),
					s.mirror.Host()+"/"+repo+": timeout", s.second.Host()+"/"+repo)
				if r.Digest() != s.image.Digest || r.Version() != "4.17.3" || r.PulledFrom().Registry() != s.second.Host() {
					t.Errorf("%s from %s", r.Version(), r.PulledFrom())
				}
				if s.cfg.Health.Healthy(s.mirror.Host()) || !s.cfg.Health.Healthy(s.second.Host()) {
					t.Errorf("hosts: %+v", s.cfg.Health.Hosts())
				}
				r = lookup(t, s.chain(t), s.request(s.digest))
				if got := tried(slices.Collect(r.Attempts())); got[len(got)-1] != s.second.Host()+"/"+repo {
					t.Errorf("attempts %q", got)
				}
				if n := s.source.Main().Stats().Connections; n != 0 {
					t.Errorf("%d connections to the source", n)
				}
			})
		}
	}
}

// A mirror that answers after all, while the other one was asked as well and hangs.
func TestLateMirrorOverTheWire(t *testing.T) {
	s := newTwoMirrors(t)
	late := s.mirror.Barrier(2, manifests) // held until we let it go
	s.second.Fail(manifests, testregistry.Hang())
	asked := make(chan error, 1)
	go func() {
		asked <- s.second.Wait(t.Context(), 1, manifests)
		late.Release()
	}()
	r := lookup(t, s.chain(t), s.request(s.digest))
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	attempts := tried(slices.Collect(r.Attempts()))
	if len(attempts) != 2 || !strings.HasPrefix(attempts[0], s.second.Host()) || attempts[1] != s.mirror.Host()+"/"+repo {
		t.Errorf("attempts %q; want the loser and the first mirror", attempts)
	}
	if !s.cfg.Health.Healthy(s.mirror.Host()) || s.mirror.Count(blobs) != 1 || s.second.Count(blobs) != 0 || s.source.Count() != 0 {
		t.Errorf("hosts: %+v; layers %d, %d", s.cfg.Health.Hosts(), s.mirror.Count(blobs), s.second.Count(blobs))
	}
}

// Images do the same, for the manifest and for what is read later.
func TestSilentMirrorImages(t *testing.T) {
	s := newTwoMirrors(t)
	images, err := chain.Images(s.registry, always(s.rules), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	img, err := images.Image(t.Context(), s.request(s.tag))
	if err != nil || img.PulledFrom().Registry() != s.mirror.Host() {
		t.Fatalf("Image: %v", err)
	}
	s.mirror.Fail(testregistry.Match{}, testregistry.Hang())
	files, err := img.Files(t.Context(), testpayload.ImageReferencesFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(files, testpayload.ImageReferencesFile); err != nil || img.PulledFrom().Registry() != s.second.Host() {
		t.Errorf("Files: %v, from %s", err, img.PulledFrom())
	}
	second, err := images.Image(t.Context(), s.request(s.digest))
	if err != nil || second.PulledFrom().Registry() != s.second.Host() || s.source.Count() != 0 {
		t.Errorf("Image: %v, %d requests to the source", err, s.source.Count())
	}
}

// When all is well the second mirror is not even connected to, and how long the first
// one takes to begin is known, from HTTP/2 and HTTP/1, through the store.
func TestNoHedgeOverTheWire(t *testing.T) {
	for protocol, noHTTP2 := range map[string]bool{"http2": false, "http1": true} {
		t.Run(protocol, func(t *testing.T) {
			s := newTwoMirrors(t, func(c *testregistry.Config, _ *policy.Rule) { c.NoHTTP2 = noHTTP2 })
			s.cfg.HedgeUnknown, s.cfg.HedgeKnown = time.Minute, time.Minute // however slow the machine
			// The whole lookup takes longer than it takes to begin.
			stored := s.mirror.Barrier(2, blobs)
			go func() {
				_ = s.mirror.Wait(t.Context(), 1, blobs)
				stored.Release()
			}()
			r := lookup(t, s.chain(t), s.request(s.digest))
			a := slices.Collect(r.Attempts())[0]
			if typical, ok := s.cfg.Health.TypicalFirstByte(s.mirror.Host()); !ok || typical <= 0 || typical >= a.Took {
				t.Errorf("it typically begins after %s, and took %s as a whole", typical, a.Took)
			}
			if m, b := s.mirror.Count(manifests), s.mirror.Count(blobs); m != 1 || b != 1 || s.second.Main().Stats().Connections != 0 {
				t.Errorf("%d manifests, %d layers, %d connections to the second mirror; want 1, 1, 0", m, b, s.second.Main().Stats().Connections)
			}
		})
	}
}

// BenchmarkSilentMirror is P5: the first mirror accepts and never answers, 20 ms
// before every answer of the second. The difference to "alone" is what it costs.
func BenchmarkSilentMirror(b *testing.B) {
	s := newTwoMirrors(b)
	if err := s.mirror.Mute(); err != nil {
		b.Fatal(err)
	}
	s.second.SetLatency(20 * time.Millisecond)
	both := s.rules
	alone := newRules(b, mirrored(s.source.Host()+"/"+repo, s.second.Host()+"/"+repo))
	known := func() *health.Health {
		h := health.New(health.Config{})
		for _, r := range []*testregistry.Registry{s.mirror, s.second} {
			h.Report(health.Report{Host: r.Host(), Outcome: health.Success, FirstByte: 20 * time.Millisecond})
		}
		return h
	}
	afterOne := health.New(health.Config{})
	for _, bb := range []struct {
		name   string
		rules  *policy.Rules
		health func() *health.Health
	}{
		{"alone", alone, func() *health.Health { return nil }},
		{"unknown", both, func() *health.Health { return nil }},
		{"known", both, known},
		{"from-the-next-lookup", both, func() *health.Health { return afterOne }},
	} {
		lookup := func(b *testing.B) {
			c := newChain(b, s.registry, bb.rules, chain.Mirrors(chain.MirrorsConfig{Health: bb.health()}))
			if _, err := c.Lookup(context.Background(), s.request(s.digest)); err != nil {
				b.Fatal(err)
			}
		}
		lookup(b)
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				lookup(b)
			}
		})
	}
}

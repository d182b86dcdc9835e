package soak_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/diskcache"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// Times are short, so that a soak sees much of them; none is a measure of speed.
const (
	tagTTL      = 300 * time.Millisecond
	negativeTTL = 200 * time.Millisecond
	proofTTL    = 2 * time.Second
	diskBytes   = 160 << 10
	// lag is what may lie between two things of which one causes the other, on a
	// machine that has other things to do.
	lag = 5 * time.Second
)

// stack is what a process has: a provider, a disk cache, a chain, images and a finder.
type stack struct {
	name     string
	disk     *diskcache.Cache
	registry *registry.Provider
	chain    *chain.Chain
	images   provider.ImageProvider
	finder   *chain.Finder
	health   *health.Health
	gauge    *gauge
}

// newStack starts a process over the directory that all share.
func (s *soak) newStack(name string, cacheBytes int64) (*stack, error) {
	st := &stack{name: name, health: health.New(health.Config{Probe: 100 * time.Millisecond, MaxProbe: time.Second})}
	var err error
	st.disk, err = diskcache.Open(diskcache.Config{Dir: s.diskDir, MaxBytes: diskBytes, OnError: s.diskError})
	if err != nil {
		return nil, err
	}
	st.registry, err = registry.New(registry.Config{
		RootCAs: s.site.ca.Pool(), Blobs: st.disk,
		Timeouts: registry.Timeouts{Connect: time.Second, FirstByte: time.Second, Silence: time.Second},
		Limits:   registry.Limits{Manifest: 256 << 10},
	})
	if err != nil {
		return nil, errors.Join(err, st.disk.Close())
	}
	st.gauge = &gauge{soak: s, stack: name}
	mirrors := chain.MirrorsConfig{
		Health: st.health, Attempt: 5 * time.Second, Files: 5 * time.Second,
		Retries: 2, RetryDelay: 20 * time.Millisecond, MaxRetryAfter: 2 * time.Second,
		HedgeUnknown: 100 * time.Millisecond, HedgeKnown: 30 * time.Millisecond,
	}
	st.chain, err = chain.New(st.registry, s.resolver.Current,
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{chain.ObserverFunc(s.observe)}}),
		chain.Translate(chain.TranslateConfig{Live: true}),
		chain.Components(chain.ComponentsConfig{}),
		chain.Cache(chain.CacheConfig{
			MaxBytes: cacheBytes, TagTTL: tagTTL, NegativeTTL: negativeTTL, Limit: 2 * time.Second, State: st.disk.State(),
		}),
		chain.Layer{Name: "gauge", Wrap: st.gauge.wrap},
		chain.Mirrors(mirrors),
		chain.Store(chain.StoreConfig{MaxBytes: 128 << 10, GrantTTL: proofTTL, Limit: 20 * time.Second, State: st.disk.State()}),
	)
	var errImages, errFinder error
	mirrors.Observer = chain.ObserverFunc(s.observe)
	st.images, errImages = chain.Images(st.registry, s.resolver.Current, mirrors)
	st.finder, errFinder = chain.NewFinder(st.registry, s.resolver.Current, chain.FinderConfig{MirrorsConfig: mirrors})
	if err = errors.Join(err, errImages, errFinder); err != nil {
		return nil, errors.Join(err, st.close())
	}
	return st, nil
}

func (st *stack) close() error {
	if st == nil {
		return nil
	}
	return errors.Join(st.registry.Close(), st.disk.Close())
}

// observe counts what the chain reports; a panic is a failure.
func (s *soak) observe(_ context.Context, e chain.Event) {
	s.events[e.Kind].Add(1)
	if e.Kind == chain.Panicked {
		s.fail("a panic: %v", e.Err)
	}
}

// diskError takes what the disk cache refused. It must refuse nothing but what was
// damaged.
func (s *soak) diskError(err error) {
	s.count("disk errors")
	if !strings.Contains(err.Error(), "is not what was written") {
		s.fail("the disk cache: %v", err)
	}
}

// gauge is a layer between cache and mirrors: it sees what is really looked up, when,
// and what comes of it.
type gauge struct {
	soak   *soak
	stack  string
	next   provider.ReleaseProvider
	flying atomic.Int64

	pinned *marks // what was found by digest

	mu     sync.Mutex
	landed map[flight][]arrival // by tag, of late
	failed map[flight]time.Time // latest, of late
}

// flight is what the cache may share: an image, on whose behalf, by which rules.
// A hash of them, so that remembering all takes little.
type flight [16]byte

func flightOf(req *provider.Request) flight {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n",
		req.Image.Normalize(), req.Platform.OrDefault(), req.Credentials.ID(), req.Rules.Version()))
	return flight(sum[:16])
}

type arrival struct {
	digest string
	at     time.Time
}

func (g *gauge) wrap(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
	g.next, g.pinned = next, newMarks()
	g.landed, g.failed = make(map[flight][]arrival), make(map[flight]time.Time)
	return g, nil
}

// Restore forwards the capability of the layers below.
func (g *gauge) Restore(ctx context.Context, req provider.Request, digest string, p provider.Platform) (*provider.Release, error) {
	r, ok := g.next.(provider.Restorer)
	if !ok {
		return nil, fmt.Errorf("%T restores nothing", g.next)
	}
	return r.Restore(ctx, req, digest, p)
}

func (g *gauge) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	g.flying.Add(1)
	defer g.flying.Add(-1)
	from := time.Now()
	r, err := g.next.Lookup(ctx, req)
	during := span{from, time.Now()}
	k := flightOf(&req)
	switch {
	case err != nil:
		g.mu.Lock()
		g.failed[k] = during.to
		g.mu.Unlock()
	case req.Image.Digest() != "":
		g.soak.mark(g.pinned, k, r.Digest())
		g.soak.mark(g.soak.given, k, r.Digest())
	default:
		g.soak.mark(g.soak.given, k, r.Digest())
		g.mu.Lock()
		g.landed[k] = append(g.landed[k], arrival{r.Digest(), during.to})
		g.mu.Unlock()
	}
	g.soak.judgeFlight(ctx, req, r, err, during)
	return r, err
}

// trim forgets what was before that, which no lookup asks for that begins now.
func (g *gauge) trim(before time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	landed, failed := g.landed, g.failed
	g.landed, g.failed = make(map[flight][]arrival), make(map[flight]time.Time)
	for k, all := range landed {
		if remaining := slices.DeleteFunc(all, func(l arrival) bool { return l.at.Before(before) }); len(remaining) > 0 {
			g.landed[k] = remaining
		}
	}
	for k, at := range failed {
		if !at.Before(before) {
			g.failed[k] = at
		}
	}
}

// has reports whether a flight found that digest: ever, or by tag at from or later.
func (g *gauge) has(k flight, digest string, byTag bool, from time.Time) bool {
	if !byTag {
		return g.pinned.has(k, digest)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.landed[k], func(l arrival) bool { return l.digest == digest && !l.at.Before(from) })
}

// hasFailed reports whether a flight failed at from or later.
func (g *gauge) hasFailed(k flight, from time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.failed[k]
	return ok && !at.Before(from)
}

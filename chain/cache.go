package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// CacheConfig configures [Cache].
type CacheConfig struct {
	// Carry, if not nil, returns work with what it may have of the first caller's
	// context: that of a trace. Without it work that callers share has nothing of
	// theirs. It must carry no deadline, and nothing that lets the work do more than
	// any other caller's would.
	Carry func(caller, work context.Context) context.Context
	// MaxBytes bounds what is remembered, by estimate; 64 MiB if zero, nothing is
	// remembered if negative.
	MaxBytes int64
	// TagTTL is how long an answer for a tag is fresh; 60 s if zero. Answers for
	// digests do not expire.
	TagTTL time.Duration
	// NegativeTTL is how long an endpoint's denial is remembered; 15 s if zero,
	// not at all if negative. Failures of endpoints that are away, overloaded or
	// not to be trusted are remembered for a fifth of it.
	NegativeTTL time.Duration
	// Limit is how long a lookup goes on after the last caller that waits for it
	// has left; 60 s if zero. With callers waiting it goes on for ten times that.
	Limit time.Duration
	// Notes remembers answers for the next process, which serves them, stale, while
	// no candidate answers; nil is none. With Notes the provider below must keep
	// content on disk ([provider.Restorer]); if it does not, [New] fails.
	Notes Notes
}

// Cache answers a lookup that was answered before. Its key is the normalized
// image, the platform, the version of the rules and the identity of the
// credentials: a change of policy or of a pull secret is never answered from
// before it.
//
// Callers that ask for the same at the same time share one lookup. It is detached
// from all of them: each leaves when its own context ends, and none fails the
// others. No value of any caller's context is in the lookup's.
//
// When a tag has expired and no candidate answers, the old answer is served and
// says so ([provider.Release.Stale]), with the attempts that failed. An answer of
// any endpoint, such as 404 or 401, ends that: a tag that was deleted is gone, and
// access that was withdrawn is withdrawn.
//
// With Notes the old answer may be that of an earlier process, for a tag or a digest,
// under the same key: to whom the rules and the credentials in force gave it before,
// and whom no endpoint has denied it since. It is read from what the base keeps, and
// verified by its digest. However old it is, it is served stale, and never while an
// endpoint answers: a new process asks first.
//
// A failure is remembered for a short
// time, by class; the end of a caller's context, [provider.ErrNoRules], a panic
// and what has no class are not.
//
// It stands above Mirrors, so that a warm lookup computes no candidates and asks
// nobody, and below Translate and Components, whose results depend on more than
// the key and are remembered with the release.
func Cache(cfg CacheConfig) Layer {
	cfg.MaxBytes = or(cfg.MaxBytes, 64<<20)
	cfg.TagTTL = or(cfg.TagTTL, 60*time.Second)
	cfg.NegativeTTL = or(cfg.NegativeTTL, 15*time.Second)
	cfg.Limit = or(cfg.Limit, 60*time.Second)
	return layer("cache", []string{"mirrors", "store"}, func(o Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			c := &cache{CacheConfig: cfg, next: next, kept: keptBy(next), observer: o}
			if _, err := provider.As[provider.Restorer](next); err != nil && cfg.Notes != nil {
				return nil, fmt.Errorf("needs, for its Notes, a provider that restores content: %w", err)
			}
			c.entries.max = cfg.MaxBytes
			c.flights.carry = cfg.Carry
			c.flights.linger, c.flights.limit = cfg.Limit, 10*cfg.Limit
			c.flights.panicked = func(ctx context.Context, k cacheKey, err *PanicError) {
				c.report(ctx, Panicked, &k, err)
			}
			return c, nil
		}
	})
}

type cache struct {
	CacheConfig
	next     provider.ReleaseProvider
	kept     kept
	observer Observer
	entries  bounded[cacheKey, *cached]
	flights  flights[cacheKey, *cached]
}

type cacheKey struct {
	image       imageref.Ref // normalized
	platform    provider.Platform
	rules       string
	credentials string
	insecure    bool
}

func keyOf(req *provider.Request) cacheKey {
	return cacheKey{
		image: req.Image.Normalize(), platform: req.Platform.OrDefault(), rules: rulesVersion(req),
		credentials: req.Credentials.ID(), insecure: req.Insecure,
	}
}

// cached is what is remembered: a release, or an error. It is immutable.
type cached struct {
	release *provider.Release // its attempts are those of the lookup that got it
	err     error             // beside a release: why that is stale
	noted   time.Time         // when the release was last noted
	expires time.Time         // zero: never
}

func (c *cached) fresh() bool { return c.expires.IsZero() || time.Now().Before(c.expires) }

// answer is c for a request that finds it in the cache.
func (c *cached) answer(req *provider.Request) (*provider.Release, error) {
	if c.release == nil {
		return nil, c.err
	}
	s := c.release.Answer()
	if s.Image = req.Image; !s.Stale {
		s.Attempts = nil // none were made for this request
	}
	return c.release.WithAnswer(s), nil
}

// landed is c for a request that waited for it.
func (c *cached) landed(req *provider.Request) (*provider.Release, error) {
	s := c.release.Answer()
	s.Image = req.Image
	return c.release.WithAnswer(s), nil
}

func (c *cache) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	k := keyOf(&req)
	if e, ok := c.entries.get(&k); ok && e.fresh() {
		if c.observer != nil {
			c.hit(ctx, &k, e)
		}
		return e.answer(&req)
	}
	return c.miss(ctx, k, req)
}

// miss is apart from Lookup so that a hit moves nothing to the heap.
func (c *cache) miss(ctx context.Context, k cacheKey, req provider.Request) (*provider.Release, error) {
	do := c.flights.do
	for {
		if err := ctx.Err(); err != nil {
			return nil, newError(&req, nil, endedError(err, imageref.Ref{}))
		}
		l := do(ctx, k, func(fctx context.Context) (*cached, error) { return c.fetch(fctx, k, req) })
		if l.led {
			c.report(ctx, CacheMiss, &k, l.err)
		} else {
			c.report(ctx, CacheJoined, &k, l.err)
		}
		switch {
		case l.left:
			return c.gaveUp(ctx, &k, &req, l.trail)
		case !l.led && !satisfies(l) && l.trail.wasHurried() && l.trail.helps(ctx):
			// A caller with less time was in a hurry. Try again, and not with the next
			// who has no time: there may always be one.
			do = c.flights.doUnpaced
		case l.err != nil:
			return nil, l.err
		default:
			return l.val.landed(&req)
		}
	}
}

// satisfies reports whether more time could make nothing better of l.
func satisfies(l landing[*cached]) bool { return l.err == nil && !l.val.release.Stale() }

// fetch is the work of a flight.
func (c *cache) fetch(ctx context.Context, k cacheKey, req provider.Request) (*cached, error) {
	old, ok := c.entries.get(&k)
	if ok && old.fresh() { // another flight ended since the caller looked
		if old.release == nil {
			return nil, old.err
		}
		return old, nil
	}
	r, err := c.next.Lookup(ctx, req)
	if err == nil {
		e := &cached{release: r}
		if k.image.Digest() == "" {
			e.expires = time.Now().Add(c.TagTTL)
		}
		if !r.Stale() { // a layer below may have its own idea of freshness
			c.note(&k, e, old)
			c.keep(&k, e)
		}
		return e, nil
	}
	switch {
	case denied(attemptsOf(err), err): // however the rest ended, and whether or not it is remembered
		c.forget(&k)
	case ctx.Err() != nil:
	case noAnswer(err):
		if old, ok = c.last(ctx, &k, &req); !ok {
			break
		}
		e := stale(old.release, attemptsOf(err), err)
		e.noted = old.noted
		e.expires = time.Now().Add(c.NegativeTTL / 5)
		if !trailOf(ctx).wasHurried() {
			c.keep(&k, e)
		}
		c.report(ctx, CacheStale, &k, err)
		return e, nil
	}
	if ttl := c.negativeTTL(err); ttl > 0 && ctx.Err() == nil && !trailOf(ctx).wasHurried() {
		c.keep(&k, &cached{err: err, expires: time.Now().Add(ttl)})
	}
	return nil, err
}

// gaveUp is the answer to a caller whose context ended. Out of time, and with an
// old answer at hand, that is better than none.
func (c *cache) gaveUp(ctx context.Context, k *cacheKey, req *provider.Request, t *trail) (*provider.Release, error) {
	attempts, asking := t.soFar()
	ended := endedError(ctx.Err(), asking)
	err := newError(req, attempts, ended)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || denied(attempts, nil) {
		return nil, err
	}
	old, ok := c.last(context.WithoutCancel(ctx), k, req) // late by a look at the disk, at most
	if !ok {
		return nil, err
	}
	if old.fresh() { // the work ended at the same moment
		return old.landed(req)
	}
	if asking.IsZero() {
		asking = req.Image
	}
	attempts = append(attempts, provider.Attempt{Ref: asking, Err: ended})
	c.report(ctx, CacheStale, k, err)
	return stale(old.release, attempts, err).landed(req)
}

func stale(r *provider.Release, attempts []provider.Attempt, why error) *cached {
	s := r.Answer()
	s.Stale, s.Attempts = true, attempts
	return &cached{release: r.WithAnswer(s), err: why}
}

func attemptsOf(err error) []provider.Attempt {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Attempts
	}
	return nil
}

// negativeTTL is how long err may be repeated to others without asking again.
func (c *cache) negativeTTL(err error) time.Duration {
	ttl := time.Duration(0)
	classes := []provider.Class{provider.ClassOf(err)}
	if e, ok := errors.AsType[*Error](err); ok {
		classes = classes[:0]
		for _, a := range e.Attempts {
			classes = append(classes, provider.ClassOf(a.Err))
		}
	}
	for _, class := range classes {
		t := c.NegativeTTL
		switch {
		case class == provider.ClassUnknown, class == provider.ClassCanceled, class == provider.ClassInvalid:
			return 0
		case away(class):
			t /= 5
		}
		if ttl == 0 || t < ttl {
			ttl = t
		}
	}
	return ttl
}

func (c *cache) keep(k *cacheKey, e *cached) {
	size := int64(entryOverhead + len(k.image.String()))
	if e.release != nil {
		size += sizeHeld(e.release)
	}
	c.entries.put(*k, e, size)
}

// entryOverhead is about what an entry takes beside a release: key, links, an error.
const entryOverhead = 1 << 10

// sizeHeld is what a held release counts as: itself, and half as much for the views
// kept with it. One that Translate makes takes a sixth of the release, with Live a
// quarter, and there are two while the rules change.
func sizeHeld(r *provider.Release) int64 {
	n := int64(r.Size())
	return n + n/2
}

func (c *cache) hit(ctx context.Context, k *cacheKey, e *cached) {
	if e.release != nil && e.release.Stale() {
		c.report(ctx, CacheStale, k, nil)
		return
	}
	c.report(ctx, CacheHit, k, e.err)
}

func (c *cache) report(ctx context.Context, kind EventKind, k *cacheKey, err error) {
	if c.observer != nil {
		c.observer.Observe(ctx, Event{Kind: kind, Image: k.image, Rules: k.rules, Err: err})
	}
}

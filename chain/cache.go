package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/internal/flight"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// CacheConfig configures [Cache].
type CacheConfig struct {
	// Carry is for tracing; other programs leave it nil. work is the context of a shared
	// lookup, which has no values of its callers. Carry returns it with those values of
	// the first caller's context that all callers may share, such as the identity of a
	// trace. It must add no deadline, and nothing that grants access.
	Carry func(caller, work context.Context) context.Context
	// MaxBytes bounds what is cached, by estimate; 64 MiB if zero. If it is negative,
	// nothing is cached.
	MaxBytes int64
	// TagTTL is how long an answer for a tag is fresh; 60 s if zero. Answers for digests
	// do not expire.
	TagTTL time.Duration
	// NegativeTTL is how long a failed lookup is cached; 15 s if zero, not at all if
	// negative. It is a fifth of that if one of the endpoints was unreachable, overloaded
	// or not trusted.
	NegativeTTL time.Duration
	// Limit is how long a lookup goes on after the last caller that waits for it has
	// left; 60 s if zero. While callers wait, it goes on for at most ten times as long.
	Limit time.Duration
	// State stores answers for the next process, which uses them as stale answers while
	// no candidate answers; nil stores none. With State the provider below must keep
	// content on disk ([provider.Restorer]). If it does not, [New] fails.
	State StateStore
}

// Cache returns the layer "cache". It answers lookups that were answered before. Its key
// is the normalized image, the platform, the version of the rules, the identity of the
// credentials and that of the [provider.Verifier]. So an answer is not used any more after
// a change of the policies, of a pull secret, or of the keys and policies for signatures.
//
// # Shared lookups
//
// Callers that ask for the same key at the same time share one lookup. It is detached
// from all of them: each caller leaves when its own context ends, and no caller makes
// the others fail. The context of the lookup has no value of any caller's context.
//
// # Stale answers
//
// When the answer for a tag has expired and no candidate answers, the old answer is
// served. [provider.Release.Stale] is then true, and the attempts that failed are in the
// release. An answer of any endpoint, such as 404 or 401, ends this: the tag was
// deleted, or the access was withdrawn.
//
// With State an old answer may be that of an earlier process, for a tag or a digest,
// under the same key. It is read from what the base keeps on disk and verified by its
// digest. It is always served as stale, and never while an endpoint answers: a new
// process asks first. A denial by an endpoint deletes it.
//
// # Failures
//
// A failure is cached for a short time, see NegativeTTL. The end of a caller's context,
// [provider.ErrNoRules], panics, and errors without a class are not cached.
//
// Cache belongs above Mirrors, so that a warm lookup computes no candidates and asks
// nobody, and below Translate and Components, whose results depend on more than the key
// and are kept with the release.
func Cache(cfg CacheConfig) Layer {
	cfg.MaxBytes = or(cfg.MaxBytes, 64<<20)
	cfg.TagTTL = or(cfg.TagTTL, 60*time.Second)
	cfg.NegativeTTL = or(cfg.NegativeTTL, 15*time.Second)
	cfg.Limit = or(cfg.Limit, 60*time.Second)
	return layer("cache", []string{"mirrors", "store"}, func(o Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			c := &cache{CacheConfig: cfg, next: next, kept: keptBy(next), observer: o}
			if _, err := provider.As[provider.Restorer](next); err != nil && cfg.State != nil {
				return nil, fmt.Errorf("needs, for its State, a provider that restores content: %w", err)
			}
			c.entries.max = cfg.MaxBytes
			c.flights.Carry = cfg.Carry
			c.flights.Linger, c.flights.Limit = cfg.Limit, 10*cfg.Limit
			c.flights.Panicked = func(ctx context.Context, k cacheKey, value any, stack []byte) error {
				err := newPanicError(value, stack)
				c.report(ctx, Panicked, &k, err)
				return err
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
	flights  flight.Group[cacheKey, *cached]
}

func (c *cache) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	k := cacheKeyOf(&req)
	if e, ok := c.entries.get(&k); ok && e.fresh() {
		if c.observer != nil {
			c.reportHit(ctx, &k, e)
		}
		return e.hit(&req)
	}
	return c.miss(ctx, k, req)
}

// miss answers a lookup that the cache cannot answer. It is separate from Lookup so
// that a hit moves nothing to the heap.
func (c *cache) miss(ctx context.Context, k cacheKey, req provider.Request) (*provider.Release, error) {
	do := c.flights.Do
	for {
		if err := ctx.Err(); err != nil {
			return nil, newError(&req, nil, contextError(err, imageref.Ref{}))
		}
		res := do(ctx, k, func(ctx context.Context) (*cached, error) { return c.fetch(ctx, k, req) })
		if res.Leader {
			c.report(ctx, CacheMiss, &k, res.Err)
		} else {
			c.report(ctx, CacheJoined, &k, res.Err)
		}
		failed := res.Err != nil || res.Value.release.Stale()
		switch {
		case res.Abandoned:
			return c.abandon(ctx, &k, &req, res.Call)
		case !res.Leader && failed && res.Call.WasCutShort() && res.Call.HasMoreTime(ctx):
			// The lookup failed because its first caller had little time. Try again, but
			// do not join a lookup of another such caller: there may always be one.
			do = c.flights.DoFullTime
		case res.Err != nil:
			return nil, res.Err
		default:
			return res.Value.awaited(&req), nil
		}
	}
}

// fetch does the work of a flight.
func (c *cache) fetch(ctx context.Context, k cacheKey, req provider.Request) (*cached, error) {
	old, ok := c.entries.get(&k)
	if ok && old.fresh() { // another flight has ended since the caller looked
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
		if !r.Stale() { // a layer below may serve stale releases of its own
			c.store(&k, e, old)
			c.entries.put(k, e, e.size(&k))
		}
		return e, nil
	}
	call := flight.CallOf(ctx)
	switch {
	case denied(attemptsOf(err), err): // even if the lookup then ended in another way
		c.forget(&k)
	case ctx.Err() != nil:
	case noAnswer(err):
		if old, ok = c.lastAnswer(ctx, &k, &req); !ok {
			break
		}
		e := staleEntry(old.release, attemptsOf(err), err)
		e.stored = old.stored
		e.expires = time.Now().Add(c.NegativeTTL / 5)
		if !call.WasCutShort() {
			c.entries.put(k, e, e.size(&k))
		}
		c.report(ctx, CacheStale, &k, err)
		return e, nil
	}
	if ttl := negativeTTL(err, c.NegativeTTL); ttl > 0 && ctx.Err() == nil && !call.WasCutShort() {
		e := &cached{err: err, expires: time.Now().Add(ttl)}
		c.entries.put(k, e, e.size(&k))
	}
	return nil, err
}

// abandon returns the answer to a caller whose context has ended. If the caller has run
// out of time and there is an old answer, this answer is better than none.
func (c *cache) abandon(ctx context.Context, k *cacheKey, req *provider.Request, call *flight.Call) (*provider.Release, error) {
	attempts, asking := call.Progress()
	ended := contextError(ctx.Err(), asking)
	err := newError(req, attempts, ended)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || denied(attempts, nil) {
		return nil, err
	}
	old, ok := c.lastAnswer(context.WithoutCancel(ctx), k, req) // at most a read from disk
	if !ok {
		return nil, err
	}
	if old.fresh() { // the work ended at the same moment
		return old.awaited(req), nil
	}
	if asking.IsZero() {
		asking = req.Image
	}
	attempts = append(attempts, provider.Attempt{Ref: asking, Err: ended})
	c.report(ctx, CacheStale, k, err)
	return staleEntry(old.release, attempts, err).awaited(req), nil
}

// storeEvery is how often the same answer is put into the StateStore again, so that a
// bounded one does not drop it while it is in use.
const storeEvery = time.Hour

// store puts the answer e into the StateStore, unless the old entry was the same answer
// and was stored not long ago.
func (c *cache) store(k *cacheKey, e, old *cached) {
	if c.State == nil {
		return
	}
	now := time.Now()
	if old != nil && old.release != nil && sameAnswer(old.release, e.release) && now.Sub(old.stored) < storeEvery {
		e.stored = old.stored
		return
	}
	e.stored = now
	r := e.release
	putRecord(c.State, k.recordKey(), record{of: contentKey{r.Digest(), r.Platform()}, named: r.IndexDigest(), from: r.PulledFrom(), asked: now, signatures: r.Signatures()})
}

// lastAnswer returns the last answer for k, expired or not: that of this process, or
// that of an earlier one.
func (c *cache) lastAnswer(ctx context.Context, k *cacheKey, req *provider.Request) (*cached, bool) {
	e, ok := c.entries.get(k)
	if ok && e.release != nil {
		return e, true
	}
	if c.State == nil {
		return nil, false
	}
	rec, stored := getRecord(c.State, k.recordKey())
	if !stored {
		return nil, false
	}
	if d := k.image.Digest(); d != "" && rec.of.platform.IsZero() && rec.of.digest != d {
		return nil, false
	}
	r, err := c.kept.restore(ctx, *req, rec.of)
	if err != nil {
		return nil, false
	}
	a := r.Answer()
	a.PulledFrom, a.Signatures = rec.from, rec.signatures
	if rec.named == "" {
		a.Index = nil
	} else if a.Index == nil || a.Index.Digest != rec.named {
		a.Index = &provider.Index{Digest: rec.named}
	}
	e = &cached{release: r.WithAnswer(a), stored: rec.asked, expires: time.Now()}
	if !ok {
		c.entries.put(*k, e, e.size(k)) // it has expired, so that the endpoints are still asked
		if _, stored = getRecord(c.State, k.recordKey()); !stored {
			c.entries.drop(k) // denied meanwhile
		}
	}
	return e, true
}

// forget removes the last answer for k, because an endpoint has denied it. The record
// goes first, so that a lastAnswer at the same moment cannot put the answer back.
func (c *cache) forget(k *cacheKey) {
	if c.State != nil {
		c.State.Delete(k.recordKey())
	}
	c.entries.drop(k)
}

func (c *cache) reportHit(ctx context.Context, k *cacheKey, e *cached) {
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

package chain

import (
	"errors"
	"strconv"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// cacheKey is what an answer depends on.
type cacheKey struct {
	image       imageref.Ref // normalized
	platform    provider.Platform
	rules       string
	credentials string
	verifier    string
	insecure    bool
}

func cacheKeyOf(req *provider.Request) cacheKey {
	k := cacheKey{
		image: req.Image.Normalize(), platform: req.Platform.OrDefault(), rules: rulesVersion(req),
		credentials: req.Credentials.ID(), insecure: req.Insecure,
	}
	if !req.MirrorCredentials.IsZero() {
		k.credentials += " " + req.MirrorCredentials.ID()
	}
	if req.Verifier != nil {
		k.verifier = req.Verifier.ID()
	}
	return k
}

func (k *cacheKey) recordKey() string {
	return recordKey("answer", k.credentials, k.image.String(), k.platform.String(), k.rules, strconv.FormatBool(k.insecure), k.verifier)
}

// cached is an entry of the cache: a release, or an error. It is immutable.
type cached struct {
	release *provider.Release // its attempts are those of the lookup that got it
	err     error             // beside a release: the reason why that is stale
	stored  time.Time         // when the release was last put into the StateStore
	expires time.Time         // zero: never
}

func (c *cached) fresh() bool { return c.expires.IsZero() || time.Now().Before(c.expires) }

// hit returns the answer to a request that finds c in the cache.
func (c *cached) hit(req *provider.Request) (*provider.Release, error) {
	if c.release == nil {
		return nil, c.err
	}
	a := c.release.Answer()
	if a.Image = req.Image; !a.Stale {
		a.Attempts = nil // none were made for this request
	}
	return c.release.WithAnswer(a), nil
}

// awaited returns the answer to a request that waited for c.
func (c *cached) awaited(req *provider.Request) *provider.Release {
	a := c.release.Answer()
	a.Image = req.Image
	return c.release.WithAnswer(a)
}

// size returns about how many bytes c takes in the cache.
func (c *cached) size(k *cacheKey) int64 {
	size := int64(entryOverhead + len(k.image.String()))
	if c.release != nil {
		size += sizeHeld(c.release)
	}
	return size
}

// staleEntry returns an old release as the answer of a lookup that failed.
func staleEntry(r *provider.Release, attempts []provider.Attempt, reason error) *cached {
	a := r.Answer()
	a.Stale, a.Attempts = true, attempts
	return &cached{release: r.WithAnswer(a), err: reason}
}

func sameAnswer(a, b *provider.Release) bool {
	return a.Digest() == b.Digest() && a.IndexDigest() == b.IndexDigest() && a.Platform() == b.Platform() && a.PulledFrom() == b.PulledFrom()
}

// negativeTTL returns how long err may be the answer to other requests. denial is how
// long a denial may be.
func negativeTTL(err error, denial time.Duration) time.Duration {
	ttl := time.Duration(0)
	classes := []provider.Class{provider.ClassOf(err)}
	if e, ok := errors.AsType[*Error](err); ok {
		classes = classes[:0]
		for _, a := range e.Attempts {
			classes = append(classes, provider.ClassOf(a.Err))
		}
	}
	for _, class := range classes {
		t := denial
		switch {
		case class == provider.ClassUnknown, class == provider.ClassCanceled, class == provider.ClassInvalid:
			return 0
		case unavailable(class):
			t /= 5
		}
		if ttl == 0 || t < ttl {
			ttl = t
		}
	}
	return ttl
}

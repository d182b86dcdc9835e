package chain

import (
	"context"
	"strconv"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// noteEvery is how often an answer that is the same is noted anew, so that it is not
// the first to go where notes are bounded.
const noteEvery = time.Hour

func (k *cacheKey) note() string {
	return noteKey("answer", k.credentials, k.image.String(), k.platform.String(), k.rules, strconv.FormatBool(k.insecure))
}

// note notes the answer e, unless old was the same and has just been noted.
func (c *cache) note(k *cacheKey, e, old *cached) {
	if c.Notes == nil {
		return
	}
	now := time.Now()
	if old != nil && old.release != nil && sameAnswer(old.release, e.release) && now.Sub(old.noted) < noteEvery {
		e.noted = old.noted
		return
	}
	e.noted = now
	r := e.release
	putNote(c.Notes, k.note(), note{of: contentKey{r.Digest(), r.Platform()}, from: r.PulledFrom(), asked: now})
}

func sameAnswer(a, b *provider.Release) bool {
	return a.Digest() == b.Digest() && a.Platform() == b.Platform() && a.PulledFrom() == b.PulledFrom()
}

// last is the last answer to k, expired or not: this process's, or that of one before
// it.
func (c *cache) last(ctx context.Context, k *cacheKey, req *provider.Request) (*cached, bool) {
	e, ok := c.entries.get(k)
	if ok && e.release != nil {
		return e, true
	}
	if c.Notes == nil {
		return nil, false
	}
	n, noted := noteOf(c.Notes, k.note())
	if !noted {
		return nil, false
	}
	if d := k.image.Digest(); d != "" && n.of.platform.IsZero() && n.of.digest != d {
		return nil, false
	}
	r, err := c.kept.restore(ctx, *req, n.of)
	if err != nil {
		return nil, false
	}
	s := r.Answer()
	s.PulledFrom = n.from
	e = &cached{release: r.WithAnswer(s), noted: n.asked, expires: time.Now()}
	if !ok {
		c.keep(k, e) // expired, so that it is asked for all the same
		if _, noted = noteOf(c.Notes, k.note()); !noted {
			c.entries.drop(k) // denied meanwhile
		}
	}
	return e, true
}

// forget ends the last answer to k: an endpoint has denied it. The note goes first, so
// that who is restoring from it at this moment cannot put the answer back.
func (c *cache) forget(k *cacheKey) {
	if c.Notes != nil {
		c.Notes.DropNote(k.note())
	}
	c.entries.drop(k)
}

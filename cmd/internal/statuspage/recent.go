package statuspage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// maxRecent is how many lookups [Recent] remembers.
const maxRecent = 50

// Recent is an observer that remembers the last lookups. Lookups of one image with one
// result are one, and are counted, so that an image which is looked up again and again
// pushes out no other. It holds at most 50, keeps no release alive, and allocates nothing for a
// lookup that it knows. The zero value is ready. It is safe for concurrent use.
type Recent struct {
	mu    sync.Mutex
	known map[outcome]*Lookup
}

// outcome is what tells lookups apart.
type outcome struct {
	image, from imageref.Ref
	class       provider.Class
	failed      bool
	stale       bool
}

// Lookup is what is remembered of lookups of one image with one result.
type Lookup struct {
	Image imageref.Ref
	// From is who served the release, now or when it was read; zero after a failure.
	From    imageref.Ref
	Version string // of the release
	Stale   bool   // an old answer, because nobody answered
	// Err is why the last one failed, nil if it was answered.
	Err error
	// At is when the last one ended, and Took how long it took.
	At    time.Time
	Took  time.Duration
	Times int // how often this result was seen
}

// Observe remembers e if a lookup has ended with it.
func (r *Recent) Observe(_ context.Context, e chain.Event) {
	if e.Kind != chain.LookupDone {
		return
	}
	key := outcome{image: e.Image, failed: e.Err != nil}
	switch {
	case e.Err != nil:
		key.class = provider.ClassOf(e.Err)
	case e.Release != nil:
		key.from, key.stale = e.Release.PulledFrom(), e.Release.Stale()
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.known[key]
	if l == nil {
		l = r.add(key)
		if e.Err == nil && e.Release != nil {
			l.Version = strings.Clone(e.Release.Version()) // it may be part of a text with all of the release
		}
	}
	l.At, l.Took, l.Err = now, e.Took, e.Err
	l.Times++
}

// add adds a lookup, and forgets the oldest one if there are too many.
func (r *Recent) add(key outcome) *Lookup {
	if r.known == nil {
		r.known = make(map[outcome]*Lookup, maxRecent)
	}
	if len(r.known) >= maxRecent {
		var oldest outcome
		for k, l := range r.known {
			if o := r.known[oldest]; o == nil || l.At.Before(o.At) {
				oldest = k
			}
		}
		delete(r.known, oldest)
	}
	l := &Lookup{Image: key.image, From: key.from, Stale: key.stale}
	r.known[key] = l
	return l
}

// Lookups returns what is remembered, the last one first.
func (r *Recent) Lookups() []Lookup {
	r.mu.Lock()
	out := make([]Lookup, 0, len(r.known))
	for _, l := range r.known {
		out = append(out, *l)
	}
	r.mu.Unlock()
	slices.SortFunc(out, func(a, b Lookup) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Image.String(), b.Image.String()))
	})
	return out
}

package sources

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
)

// Start follows the sources until ctx ends, then waits for what it started and
// returns nil. It keeps the last good policy of each source and merges anew only
// when one has changed. It can be called once; a second call is an error.
func (r *Resolver) Start(ctx context.Context) error {
	if !r.started.CompareAndSwap(false, true) {
		return errors.New("the resolver has been started before")
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	dirty := make(chan struct{}, 1)
	for _, s := range r.srcs {
		// What changed between the constructor and now is found by a first load.
		due := make(chan struct{}, 1)
		due <- struct{}{}
		wg.Go(func() { r.watch(ctx, s, due) })
		wg.Go(func() { r.follow(ctx, s, due, dirty) })
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-dirty:
			_ = r.merge() // in the status and in the log
		}
	}
}

// watch keeps a Watch running and marks loads as due.
func (r *Resolver) watch(ctx context.Context, s *tracked, due chan<- struct{}) {
	wait := backoff{first: r.cfg.Retry, most: r.cfg.Poll}
	var logged string
	for ctx.Err() == nil {
		began := time.Now()
		err := s.src.Watch(ctx, func() {
			r.setWatchErr(s, nil) // it signals, so it works
			mark(due)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the watch ended by itself")
		}
		r.setWatchErr(s, err)
		if time.Since(began) > r.cfg.Poll {
			logged = ""
			wait.reset()
		}
		if err.Error() != logged {
			logged = err.Error()
			r.cfg.Log.Warn("watching mirror policies failed; trying again", slog.String("source", s.src.Name()), slog.Any("error", err))
		}
		if sleep.For(ctx, wait.next()) != nil {
			return
		}
		mark(due) // what changed while nobody watched
	}
}

func (r *Resolver) setWatchErr(s *tracked, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.watchErr = err
}

// follow loads s whenever that is due, and again after a failure.
func (r *Resolver) follow(ctx context.Context, s *tracked, due <-chan struct{}, dirty chan<- struct{}) {
	wait := backoff{first: r.cfg.Retry, most: r.cfg.Poll}
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-retry:
		}
		changed, err := r.load(ctx, s)
		switch {
		case err == nil:
			retry = nil
			wait.reset()
		case permanent(err):
			retry = time.After(r.cfg.Poll) // the watch tells when it is mended; this is for one that does not
		default:
			retry = time.After(wait.next())
		}
		if changed {
			mark(dirty)
		}
	}
}

// mark signals without waiting: one pending signal says all there is to say.
func mark(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// backoff is a growing wait with jitter.
type backoff struct {
	first, most time.Duration
	now         time.Duration
}

func (b *backoff) reset() { b.now = 0 }

// next returns the next wait: between a half and the whole of a doubling time, so that
// many processes do not try in step.
func (b *backoff) next() time.Duration {
	b.now = min(max(b.first, 2*b.now), b.most)
	half := b.now / 2
	return half + rand.N(b.now-half+1)
}

package sources

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Reload loads every source now, all at the same time, and puts in force what they say. It
// does not use a load that began before the call. It is for programs that must see an edit
// at once, or that do not call [Resolver.Start]. It may be called at any time, also while
// Start runs.
//
// An error names the sources that cannot be loaded, or whose policy is not in force
// because it cannot be merged. Their last good policies stay in force. What the other
// sources say comes into force, even if ctx ends meanwhile.
func (r *Resolver) Reload(ctx context.Context) error {
	errs := r.loadAll(ctx)
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("source %s: %w", r.srcs[i].src.Name(), err)
		}
	}
	if r.pending() {
		errs = append(errs, r.merge())
	}
	return errors.Join(errs...)
}

// loadAll loads all sources at the same time, and returns the error of each.
func (r *Resolver) loadAll(ctx context.Context) []error {
	errs := make([]error, len(r.srcs))
	var wg sync.WaitGroup
	for i, s := range r.srcs {
		wg.Go(func() { _, errs[i] = r.load(ctx, s) })
	}
	wg.Wait()
	return errs
}

// pending reports whether a source said something that is not in force, or there are no
// rules yet.
func (r *Resolver) pending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.srcs {
		if s.loaded != s.inForce {
			return true
		}
	}
	return r.Current() == nil
}

// slot admits one at a time. It is no mutex, because who waits may leave.
type slot chan struct{}

func (s slot) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slot) leave() { <-s }

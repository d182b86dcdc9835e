package sources

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
)

// tracked is one source and what is known of it. Everything below src is guarded
// by Resolver.mu; the policies pointed at are never modified.
type tracked struct {
	src  policy.Watcher
	slot slot // of loading it

	loaded   *policy.Policy // as last loaded; nil before the first good load
	inForce  *policy.Policy // its part of Current; older than loaded where that does not merge
	lastGood time.Time
	loadErr  error
	mergeErr error
	watchErr error
}

// load asks s once and records the answer. changed says that the policy differs
// from the last one; err is Load's.
func (r *Resolver) load(ctx context.Context, s *tracked) (changed bool, err error) {
	if err := s.slot.take(ctx); err != nil {
		return false, err
	}
	defer s.slot.leave()
	lctx, cancel := context.WithTimeout(ctx, r.cfg.LoadTimeout)
	defer cancel()
	policy, err := s.src.Load(lctx)
	if ctx.Err() != nil {
		return false, ctx.Err() // we are being stopped; that says nothing about the source
	}
	if err != nil {
		r.mu.Lock()
		news := s.loadErr == nil || s.loadErr.Error() != err.Error()
		s.loadErr = err
		r.mu.Unlock()
		if news {
			r.cfg.Log.Warn("mirror policies not loaded; what the source said last stays in force",
				slog.String("source", s.src.Name()), slog.Bool("invalid", permanent(err)), slog.Any("error", err))
		}
		return false, err
	}

	r.mu.Lock()
	last, failed := s.loaded, s.loadErr
	r.mu.Unlock()
	// Outside the lock: only who has the slot writes s.loaded.
	changed = last == nil || !reflect.DeepEqual(*last, policy)
	r.mu.Lock()
	if changed {
		s.loaded = &policy
	}
	s.loadErr, s.lastGood = nil, time.Now()
	r.mu.Unlock()
	if failed != nil {
		r.cfg.Log.Info("mirror policies load again", slog.String("source", s.src.Name()))
	}
	if changed {
		r.warn(policy.Warnings)
	}
	return changed, nil
}

// merge builds rules of what the sources said last and puts them in force. It
// does nothing while a source has never loaded. If the newest policies do not
// merge, those that do are taken and the others stay as they were, so that one
// bad edit holds up no other source; the error is in their status and returned.
// Those are tried again with every later merge.
//
// Only one merge runs at a time.
func (r *Resolver) merge() error {
	r.merging.Lock()
	defer r.merging.Unlock()
	newest := make([]*policy.Policy, len(r.srcs))
	inForce := make([]*policy.Policy, len(r.srcs))
	r.mu.Lock()
	for i, s := range r.srcs {
		newest[i], inForce[i] = s.loaded, s.inForce
	}
	r.mu.Unlock()
	if slices.Contains(newest, nil) {
		return nil
	}

	chosen, errs := newest, make([]error, len(r.srcs))
	rules, err := r.build(newest)
	switch {
	case err != nil && r.Current() == nil:
		for i := range errs {
			errs[i] = err // the set as a whole; there is nothing to fall back on
		}
	case err != nil:
		rules, chosen, errs = r.fallBack(newest, inForce)
	}

	r.mu.Lock()
	for i, s := range r.srcs {
		s.mergeErr = errs[i]
		if errs[i] == nil {
			s.inForce = chosen[i]
		}
	}
	if rules != nil {
		if now := r.Current(); now == nil || now.Version() != rules.Version() {
			r.since = time.Now()
		}
		r.current.Store(rules)
		close(r.swapped)
		r.swapped = make(chan struct{})
	}
	r.mu.Unlock()
	r.report(rules, errs)
	if r.Current() == nil {
		return err
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("source %s: %w", r.srcs[i].src.Name(), err)
		}
	}
	return errors.Join(errs...)
}

// fallBack adds what is new to what is in force and keeps what merges. rules is
// nil if nothing did.
//
// An edit may need another one first, and two may need each other, so in whatever
// order they are tried it goes on until nothing more is accepted: one source at a
// time, then all that are left but one. An edit that cannot merge then holds up no
// other. Of two that exclude each other the source that was given first has its
// way.
func (r *Resolver) fallBack(newest, inForce []*policy.Policy) (rules *policy.Rules, chosen []*policy.Policy, errs []error) {
	chosen, errs = inForce, make([]error, len(newest))
	var pending []int // sources whose news are not in force yet
	for i := range newest {
		if newest[i] != inForce[i] {
			pending = append(pending, i)
		}
	}
	// accept takes the news of some sources if they merge, and tells whether they did.
	accept := func(some ...int) error {
		try := slices.Clone(chosen)
		for _, i := range some {
			try[i] = newest[i]
		}
		merged, err := r.build(try)
		if err != nil {
			return err
		}
		rules, chosen = merged, try
		pending = slices.DeleteFunc(slices.Clone(pending), func(i int) bool { return slices.Contains(some, i) })
		return nil
	}
	for before := -1; before != len(pending); {
		before = len(pending)
		for _, i := range pending { // the list as it is now: accept makes a new one
			errs[i] = accept(i)
		}
		if before != len(pending) {
			continue
		}
		for out := len(pending) - 1; out >= 0 && len(pending) > 2; out-- {
			rest := slices.Delete(slices.Clone(pending), out, out+1)
			if accept(rest...) == nil {
				for _, i := range rest {
					errs[i] = nil
				}
				break
			}
		}
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("does not merge with the other sources: %w", err)
		}
	}
	return rules, chosen, errs
}

func (r *Resolver) build(policies []*policy.Policy) (*policy.Rules, error) {
	values := make([]policy.Policy, len(policies))
	for i, p := range policies {
		values[i] = *p
	}
	return policy.NewRules(r.cfg.Rules, values...)
}

// report logs the outcome of a merge.
func (r *Resolver) report(rules *policy.Rules, errs []error) {
	for i, err := range errs {
		if err != nil {
			r.cfg.Log.Error("mirror policies not in force; what the source said before stays in force",
				slog.String("source", r.srcs[i].src.Name()), slog.Any("error", err))
		}
	}
	if rules == nil {
		return
	}
	r.cfg.Log.Info("mirror rules in force", slog.String("version", rules.Version()), slog.Int("sources", len(r.srcs)))
	r.warn(rules.Warnings())
}

func (r *Resolver) warn(warnings []policy.Warning) {
	for _, w := range warnings {
		r.cfg.Log.Warn(w.Message, slog.String("code", w.Code), slog.Any("origins", w.Origins))
	}
}

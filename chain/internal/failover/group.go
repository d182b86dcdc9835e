package failover

import (
	"context"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// hedgeGroup asks candidates that may overtake one another: mirrors that follow one
// another in the order of the policy. The source, or a mirror alone, is a group of one.
//
// All decisions are made on the goroutine of run. When run returns, all attempts have
// ended, except a background probe that was detached.
type hedgeGroup[T any] struct {
	*search[T]
	ctx       context.Context
	remaining int // candidates that have not begun, those after this group included

	queue        []queued      // in the order in which they will be asked
	running      []*attempt[T] // in the order in which they began
	done         chan *attempt[T]
	pendingProbe *attempt[T]   // a probe that answered, while others before it may still answer
	failed       []*attempt[T] // not those that were given up

	from  int            // where the attempts of this group begin in search.attempts
	began []imageref.Ref // in the order in which they began
}

// queued is a candidate that has not been asked yet. Candidates of a lower rank are
// asked first, and their answers are preferred where the lookup is not by digest.
type queued struct {
	candidate policy.Candidate
	rank      int
}

// run returns the attempt that answered, nil if none did, or the error that ends the
// search.
func (g *hedgeGroup[T]) run(cands []policy.Candidate) (*attempt[T], error) {
	if err := g.ctx.Err(); err != nil {
		return nil, g.newError(err)
	}
	if len(cands) == 1 {
		return g.runSingle(cands[0])
	}
	g.from, g.done = len(g.attempts), make(chan *attempt[T], len(cands))
	defer g.sortAttempts()
	g.begin(cands)
	for {
		if g.pendingProbe != nil && g.isNext(g.pendingProbe) {
			return g.finish(g.pendingProbe), nil
		}
		for i := g.next(); i >= 0; i = g.next() {
			g.startNext(i)
		}
		if len(g.running) == 0 {
			if len(g.queue) > 0 {
				return nil, g.newError(g.ctx.Err())
			}
			return nil, nil
		}
		a := g.wait()
		switch {
		case a == nil: // one more attempt is past its hedge delay
		case a.panicked != nil:
			g.abandon(a)
			panic(a.panicked)
		case a.answered && (g.ByDigest || g.isNext(a)):
			return g.finish(a), nil
		case a.answered:
			g.pendingProbe = a
		default:
			if err := g.end(g.ctx, a); err != nil {
				g.abandon()
				return nil, err
			}
			g.failed = append(g.failed, a)
		}
	}
}

// runSingle asks the only candidate, without another goroutine.
func (g *hedgeGroup[T]) runSingle(c policy.Candidate) (*attempt[T], error) {
	a := g.search.start(g.ctx, c, g.remaining, false)
	returned := false
	defer func() {
		if !returned { // it panicked; a probe must be reported all the same
			g.reportHealth(g.ctx, a, health.Unknown)
		}
	}()
	g.ask(a)
	returned = true
	if err := g.end(g.ctx, a); err != nil {
		return nil, err
	}
	if !a.answered {
		g.failed = append(g.failed, a)
		return nil, nil
	}
	return a, nil
}

// begin queues the candidates, those on hosts that failed after the others, and starts
// the first one. If a host that failed is due for a probe, its candidate starts as well,
// in the background.
func (g *hedgeGroup[T]) begin(cands []policy.Candidate) {
	var healthy, others []policy.Candidate
	for _, c := range cands {
		if g.cfg.Health.Healthy(c.Ref.Registry()) {
			healthy = append(healthy, c)
		} else {
			others = append(others, c)
		}
	}
	for i, c := range append(healthy, others...) {
		g.queue = append(g.queue, queued{c, i})
	}
	g.start(0, false)
	if len(healthy) == 0 {
		return
	}
	for i, q := range g.queue {
		if q.rank >= len(healthy) && g.cfg.Health.Probe(q.candidate.Ref.Registry()) {
			g.start(i, true)
			return
		}
	}
}

// start starts the i-th candidate of the queue.
func (g *hedgeGroup[T]) start(i int, background bool) *attempt[T] {
	q := g.queue[i]
	g.queue = slices.Delete(g.queue, i, i+1)
	a := g.search.start(g.ctx, q.candidate, g.remaining, background)
	a.rank = q.rank
	g.remaining--
	g.began = append(g.began, q.candidate.Ref)
	g.running = append(g.running, a)
	go g.askGuarded(a, g.done)
	return a
}

// startNext starts the i-th candidate of the queue. If others are being asked, it is a
// hedge, and the observer is told.
func (g *hedgeGroup[T]) startNext(i int) {
	var silent time.Duration
	for _, a := range g.running {
		if !g.isBackground(a) {
			silent = a.conn.unanswered(a.age())
		}
	}
	a := g.start(i, false)
	if silent > 0 {
		g.observe(g.ctx, Event{Kind: HedgeStarted, Ref: a.candidate.Ref, Wait: silent})
	}
}

// next returns the index in the queue of the candidate that should start now; -1 for
// none. The first one starts when nothing is running but background probes. In a lookup
// by digest a hedge starts when all running attempts are past their hedge delays; it
// goes to a host that is not being asked yet.
func (g *hedgeGroup[T]) next() int {
	if len(g.queue) == 0 || g.ctx.Err() != nil {
		return -1
	}
	silent := 0
	for _, a := range g.running {
		switch {
		case g.isBackground(a):
			if g.ByDigest && a.conn.begun() {
				return -1
			}
		case !g.ByDigest || !a.pastHedgeDelay(a.age()):
			return -1
		default:
			silent++
		}
	}
	switch {
	case silent == 0:
		return 0
	case silent >= g.cfg.Parallel:
		return -1
	}
	return slices.IndexFunc(g.queue, func(q queued) bool {
		return !slices.ContainsFunc(g.running, func(a *attempt[T]) bool {
			return a.candidate.Ref.Registry() == q.candidate.Ref.Registry()
		})
	})
}

// isBackground reports whether a is a probe that nobody waits for.
func (g *hedgeGroup[T]) isBackground(a *attempt[T]) bool { return a.background && !g.isNext(a) }

// isNext reports whether all candidates of a lower rank than a have failed.
func (g *hedgeGroup[T]) isNext(a *attempt[T]) bool {
	return !slices.ContainsFunc(g.queue, func(q queued) bool { return q.rank < a.rank }) &&
		!slices.ContainsFunc(g.running, func(b *attempt[T]) bool { return b.rank < a.rank })
}

// wait waits until an attempt has ended, and removes it from running. It returns nil
// when one more attempt is past its hedge delay, while others are queued.
func (g *hedgeGroup[T]) wait() *attempt[T] {
	var hedge <-chan time.Time
	if d, ok := g.nextHedge(); ok {
		t := time.NewTimer(d)
		defer t.Stop()
		hedge = t.C
	}
	select {
	case a := <-g.done:
		g.running = slices.DeleteFunc(g.running, func(b *attempt[T]) bool { return a == b })
		return a
	case <-hedge:
		return nil
	}
}

// nextHedge returns the time until one more attempt is past its hedge delay; false if
// that will not happen, or does not matter.
func (g *hedgeGroup[T]) nextHedge() (least time.Duration, ok bool) {
	if !g.ByDigest || len(g.queue) == 0 {
		return 0, false
	}
	for _, a := range g.running {
		remaining := a.hedgeDelay - a.conn.unanswered(a.age())
		if remaining > 0 && !a.conn.begun() && !g.isBackground(a) && (!ok || remaining < least) {
			least, ok = remaining, true
		}
	}
	return least, ok
}

// finish gives up all attempts but won. A background probe that has shown nothing yet
// is detached.
func (g *hedgeGroup[T]) finish(won *attempt[T]) *attempt[T] {
	lost, busy := g.running, len(g.running)
	var probe *attempt[T] // detached
	for _, a := range lost {
		if a.background && !a.conn.begun() && a.detach() {
			probe = a
			busy--
		} else {
			a.giveUp()
		}
	}
	if g.pendingProbe != nil && g.pendingProbe != won {
		g.pendingProbe.giveUp()
		g.conclude(g.pendingProbe)
	}
	for busy > 0 {
		if a := <-g.done; a == probe { // it ended by itself meanwhile
			probe = nil
			a.giveUp()
		} else {
			busy--
		}
	}
	for _, a := range lost {
		if a == probe {
			g.detach(a, g.done)
		} else {
			g.conclude(a)
		}
	}
	g.conclude(won)
	return won
}

// conclude calls end for an attempt that cannot end the search any more.
func (g *hedgeGroup[T]) conclude(a *attempt[T]) { _ = g.end(g.ctx, a) }

// abandon gives up all attempts, because the search has ended. over are attempts that
// have ended. None of them is recorded, and none shows anything about its host.
func (g *hedgeGroup[T]) abandon(done ...*attempt[T]) {
	if g.pendingProbe != nil {
		done = append(done, g.pendingProbe)
	}
	for _, a := range g.running {
		a.cancel()
	}
	for range g.running {
		done = append(done, <-g.done)
	}
	g.running = nil
	for _, a := range done {
		g.reportHealth(g.ctx, a, health.Unknown)
	}
}

// sortAttempts puts the recorded attempts of the group in the order in which they
// began, and the one that answered last.
func (g *hedgeGroup[T]) sortAttempts() {
	slices.SortStableFunc(g.attempts[g.from:], func(a, b provider.Attempt) int {
		switch {
		case a.Err == nil:
			return 1
		case b.Err == nil:
			return -1
		}
		return slices.Index(g.began, a.Ref) - slices.Index(g.began, b.Ref)
	})
}

// failures returns the failures of the group, by rank.
func (g *hedgeGroup[T]) failures() []failure {
	slices.SortFunc(g.failed, func(a, b *attempt[T]) int { return a.rank - b.rank })
	var all []failure
	for _, a := range g.failed {
		all = append(all, failure{candidate: a.candidate, err: a.err, cutShort: a.wasLimited()})
	}
	return all
}

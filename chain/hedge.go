package chain

import (
	"context"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// heat asks candidates that may overtake each other: mirrors that follow one
// another. One goroutine, the caller's, decides; those that ask have ended when run
// returns, but for a probe, see seeOut. The source, or a mirror by itself, is
// a heat of one.
type heat[T any] struct {
	*search[T]
	ctx  context.Context
	left int // candidates that have not begun, those behind this heat among them

	waiting []entrant     // in the order in which they will be asked
	running []*attempt[T] // in the order in which they were
	done    chan *attempt[T]
	held    *attempt[T]   // a probe's answer whose turn it is not yet
	beaten  []*attempt[T] // failed by themselves

	from  int            // where the heat's own attempts begin
	began []imageref.Ref // in the order in which they did
}

// entrant is a candidate with its place.
type entrant struct {
	candidate policy.Candidate
	place     int
}

// run returns the attempt that answered, nil if none did, or the error that ends the
// search.
func (h *heat[T]) run(cands []policy.Candidate) (*attempt[T], error) {
	if err := h.ctx.Err(); err != nil {
		return nil, h.failed(err)
	}
	if len(cands) == 1 {
		return h.alone(cands[0])
	}
	h.from, h.done = len(h.attempts), make(chan *attempt[T], len(cands))
	defer h.sort()
	h.enter(cands)
	for {
		if h.held != nil && h.leads(h.held) {
			return h.finish(h.held), nil
		}
		for i := h.next(); i >= 0; i = h.next() {
			h.hedge(i)
		}
		if len(h.running) == 0 {
			if len(h.waiting) > 0 {
				return nil, h.failed(h.ctx.Err())
			}
			return nil, nil
		}
		a := h.wait()
		switch {
		case a == nil: // somebody is overdue
		case a.panicked != nil:
			h.abandon(a)
			panic(a.panicked)
		case a.answered && (h.byDigest || h.leads(a)):
			return h.finish(a), nil
		case a.answered:
			h.held = a
		default:
			if err := h.end(h.ctx, a); err != nil {
				h.abandon()
				return nil, err
			}
			h.beaten = append(h.beaten, a)
		}
	}
}

// alone asks where there is nobody to decide about.
func (h *heat[T]) alone(c policy.Candidate) (*attempt[T], error) {
	a := h.begin(h.ctx, c, h.left, false)
	returned := false
	defer func() {
		if !returned { // a panic; it may have been a probe
			h.learn(h.ctx, a, health.Unsure)
		}
	}()
	h.search.run(a)
	returned = true
	if err := h.end(h.ctx, a); err != nil {
		return nil, err
	}
	if !a.answered {
		h.beaten = append(h.beaten, a)
		return nil, nil
	}
	return a, nil
}

// enter puts the candidates on sick hosts behind the others and starts: the first,
// and one of the sick beside it if that is due.
func (h *heat[T]) enter(cands []policy.Candidate) {
	var healthy, sick []policy.Candidate
	for _, c := range cands {
		if h.Health.Sick(c.Ref.Registry()) {
			sick = append(sick, c)
		} else {
			healthy = append(healthy, c)
		}
	}
	for i, c := range append(healthy, sick...) {
		h.waiting = append(h.waiting, entrant{c, i})
	}
	h.start(0, false)
	if len(healthy) == 0 {
		return
	}
	for i, w := range h.waiting {
		if w.place >= len(healthy) && h.Health.Probe(w.candidate.Ref.Registry()) {
			h.start(i, true)
			return
		}
	}
}

// start starts the i-th of those that wait.
func (h *heat[T]) start(i int, aside bool) *attempt[T] {
	w := h.waiting[i]
	h.waiting = slices.Delete(h.waiting, i, i+1)
	a := h.begin(h.ctx, w.candidate, h.left, aside)
	a.place = w.place
	h.left--
	h.began = append(h.began, w.candidate.Ref)
	h.running = append(h.running, a)
	go h.runGuarded(a, h.done)
	return a
}

// hedge is start, and tells the observer if that is because others are silent.
func (h *heat[T]) hedge(i int) {
	var silent time.Duration
	for _, a := range h.running {
		if !h.beside(a) {
			silent = a.age()
		}
	}
	a := h.start(i, false)
	if silent > 0 {
		h.tell(h.ctx, Event{Kind: HedgeStarted, Ref: a.candidate.Ref, Wait: silent})
	}
}

// next is which of those that wait is to be asked now; -1 if none. The first one is,
// when nobody that runs is ahead of it in its turn. By digest it is enough that all
// of those have been silent for too long; then one on a host of its own is better.
func (h *heat[T]) next() int {
	if len(h.waiting) == 0 || h.ctx.Err() != nil {
		return -1
	}
	overdue := 0
	for _, a := range h.running {
		switch {
		case h.beside(a):
			if h.byDigest && a.contact.begun() {
				return -1
			}
		case !h.byDigest || !a.overdue(a.age()):
			return -1
		default:
			overdue++
		}
	}
	switch {
	case overdue == 0:
		return 0
	case overdue >= h.Parallel:
		return -1
	}
	return slices.IndexFunc(h.waiting, func(w entrant) bool {
		return !slices.ContainsFunc(h.running, func(a *attempt[T]) bool {
			return a.candidate.Ref.Registry() == w.candidate.Ref.Registry()
		})
	})
}

// beside reports whether a is a probe that nobody waits for.
func (h *heat[T]) beside(a *attempt[T]) bool { return a.aside && !h.leads(a) }

// leads reports whether all that are ahead of a have had their turn.
func (h *heat[T]) leads(a *attempt[T]) bool {
	return !slices.ContainsFunc(h.waiting, func(w entrant) bool { return w.place < a.place }) &&
		!slices.ContainsFunc(h.running, func(b *attempt[T]) bool { return b.place < a.place })
}

// wait waits until one of those that run is done, and takes it out, or until one of
// them becomes overdue and others are to be asked: then it returns nil.
func (h *heat[T]) wait() *attempt[T] {
	var overdue <-chan time.Time
	if d, ok := h.patienceLeft(); ok {
		t := time.NewTimer(d)
		defer t.Stop()
		overdue = t.C
	}
	select {
	case a := <-h.done:
		h.leave(a)
		return a
	case <-overdue:
		return nil
	}
}

func (h *heat[T]) leave(a *attempt[T]) {
	h.running = slices.DeleteFunc(h.running, func(b *attempt[T]) bool { return a == b })
}

// patienceLeft is how long it takes until one more of those that run is overdue; false
// if none will be, or nobody waits for that.
func (h *heat[T]) patienceLeft() (least time.Duration, ok bool) {
	if !h.byDigest || len(h.waiting) == 0 {
		return 0, false
	}
	for _, a := range h.running {
		left := a.patience - a.age()
		if left > 0 && !a.contact.begun() && !h.beside(a) && (!ok || left < least) {
			least, ok = left, true
		}
	}
	return least, ok
}

// finish gives up all but won, whose answer is the answer. A probe that has shown
// nothing yet goes on by itself.
func (h *heat[T]) finish(won *attempt[T]) *attempt[T] {
	lost, busy := h.running, len(h.running)
	var goesOn *attempt[T]
	for _, a := range lost {
		if a.aside && !a.contact.begun() && a.release() {
			goesOn = a
			busy--
		} else {
			a.lose()
		}
	}
	if h.held != nil && h.held != won {
		h.held.lose()
		h.conclude(h.held)
	}
	for busy > 0 {
		if a := <-h.done; a == goesOn { // over by itself meanwhile
			goesOn = nil
			a.lose()
		} else {
			busy--
		}
	}
	for _, a := range lost {
		if a == goesOn {
			h.partWith(a, h.done)
		} else {
			h.conclude(a)
		}
	}
	h.conclude(won)
	return won
}

// conclude is end for an attempt that ends nothing.
func (h *heat[T]) conclude(a *attempt[T]) { _ = h.end(h.ctx, a) }

// abandon gives up all, since the search has ended; over are those done already. They
// are no attempts, and prove nothing.
func (h *heat[T]) abandon(over ...*attempt[T]) {
	if h.held != nil {
		over = append(over, h.held)
	}
	for _, a := range h.running {
		a.cancel()
	}
	for range h.running {
		over = append(over, <-h.done)
	}
	h.running = nil
	for _, a := range over {
		h.learn(h.ctx, a, health.Unsure)
	}
}

// sort puts the heat's attempts in the order in which they began; the one that answered
// is last.
func (h *heat[T]) sort() {
	slices.SortStableFunc(h.attempts[h.from:], func(a, b provider.Attempt) int {
		switch {
		case a.Err == nil:
			return 1
		case b.Err == nil:
			return -1
		}
		return slices.Index(h.began, a.Ref) - slices.Index(h.began, b.Ref)
	})
}

// failures are why the candidates failed, in the order of their places.
func (h *heat[T]) failures() []failure {
	slices.SortFunc(h.beaten, func(a, b *attempt[T]) int { return a.place - b.place })
	var all []failure
	for _, a := range h.beaten {
		all = append(all, failure{candidate: a.candidate, err: a.err, hurried: a.mute.Load()})
	}
	return all
}

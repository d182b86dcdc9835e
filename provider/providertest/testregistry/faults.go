package testregistry

import (
	"context"
	"slices"
	"sync"
)

// Fault makes requests go wrong.
type Fault struct {
	Match Match
	// After is how many matching requests are answered well first.
	After int
	// Times is how often the fault strikes; 0 is until it is removed.
	Times  int
	Action Action
}

// faults are the faults and barriers in place.
type faults struct {
	mu       sync.Mutex
	all      []*activeFault
	barriers []*Barrier
}

type activeFault struct {
	Fault
	seen, struck int
}

// Inject puts a fault in place until it is removed or has struck often enough.
// Of several that match a request, the one put in place first strikes.
func (r *Registry) Inject(f Fault) (remove func()) {
	a := &activeFault{Fault: f}
	r.faults.mu.Lock()
	defer r.faults.mu.Unlock()
	r.faults.all = append(r.faults.all, a)
	return func() {
		r.faults.mu.Lock()
		defer r.faults.mu.Unlock()
		r.faults.all = slices.DeleteFunc(slices.Clone(r.faults.all), func(b *activeFault) bool { return a == b })
	}
}

// Fail makes every request that m chooses go wrong until the fault is removed.
func (r *Registry) Fail(m Match, a Action) (remove func()) {
	return r.Inject(Fault{Match: m, Action: a})
}

// ClearFaults removes all faults. What hangs goes on hanging.
func (r *Registry) ClearFaults() {
	r.faults.mu.Lock()
	defer r.faults.mu.Unlock()
	r.faults.all = nil
}

func (f *faults) apply(x *exchange) {
	q := x.entry.Request
	f.mu.Lock()
	all := f.all
	f.mu.Unlock()
	for _, a := range all {
		if !a.Match.fits(q) || !f.strike(a) {
			continue
		}
		x.reg.log.update(x.entry, func(q *Request) { q.Fault = a.Action.name })
		a.Action.apply(x)
		return
	}
}

func (f *faults) strike(a *activeFault) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.seen++; a.seen <= a.After || a.Times > 0 && a.struck >= a.Times {
		return false
	}
	a.struck++
	return true
}

// Barrier holds requests until enough of them are in flight at once.
type Barrier struct {
	match   Match
	n       int
	mu      sync.Mutex
	waiting int
	open    chan struct{}
	opened  bool
}

// Barrier holds the requests that m chooses, unanswered, until n of them are in
// flight; then it lets these and all later ones pass.
func (r *Registry) Barrier(n int, m Match) *Barrier {
	b := &Barrier{match: m, n: n, open: make(chan struct{})}
	r.faults.mu.Lock()
	defer r.faults.mu.Unlock()
	r.faults.barriers = append(r.faults.barriers, b)
	return b
}

// Open returns a channel that is closed when n requests were in flight at once, or by Release.
func (b *Barrier) Open() <-chan struct{} { return b.open }

// Waiting returns how many requests are being held.
func (b *Barrier) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// Release lets everything pass.
func (b *Barrier) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release()
}

func (b *Barrier) release() {
	if !b.opened {
		b.opened = true
		close(b.open)
	}
}

// Await waits for Open.
func (b *Barrier) Await(ctx context.Context) error {
	select {
	case <-b.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Barrier) hold(x *exchange) error {
	b.mu.Lock()
	if b.waiting++; b.waiting >= b.n {
		b.release()
	}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.waiting--
		b.mu.Unlock()
	}()
	select {
	case <-b.open:
		return nil
	case <-x.ctx().Done():
	case <-x.reg.closed:
	}
	return errGone
}

// hold holds an exchange at the barriers that match it.
func (f *faults) hold(x *exchange) error {
	f.mu.Lock()
	barriers := slices.Clone(f.barriers)
	f.mu.Unlock()
	for _, b := range barriers {
		if b.match.fits(x.entry.Request) {
			if err := b.hold(x); err != nil {
				return err
			}
		}
	}
	return nil
}

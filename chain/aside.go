package chain

import (
	"context"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// A probe is asked beside a healthy mirror, and that one is often the quicker. Were the
// probe given up whenever it loses, a mirror that has recovered would never be known to
// have: so it goes on until the host has shown something, which costs no caller time.

// withOwnEnd is [within] for a probe: the context ends like that, or with ctx, unless
// it is released before. After that only cancel ends it. A false release says that it
// came too late.
func withOwnEnd(ctx context.Context, limit time.Duration) (own context.Context, cancel context.CancelFunc, release func() bool) {
	own, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	timer := time.AfterFunc(limit, end)
	cancel = func() {
		stop()
		timer.Stop()
		end()
	}
	return own, cancel, func() bool { return stop() && timer.Stop() }
}

// partWith lets a probe that was released go on without the lookup, for which it has
// lost. Only it may send to done from now on.
func (s *search[T]) partWith(a *attempt[T], done <-chan *attempt[T]) {
	a.lostAt = a.age()
	s.record(a.ctx, provider.Attempt{Ref: a.candidate.Ref, Err: a.lostTo(""), Took: a.lostAt})
	go s.seeOut(a, done)
}

// seeOut waits until a probe shows that its host is well or is not, but not longer
// than a host may be silent that is, and ends it.
func (s *search[T]) seeOut(a *attempt[T], done <-chan *attempt[T]) {
	long := time.NewTimer(s.deaf(a.patience) - a.age())
	defer long.Stop()
	over := false
	select {
	case <-done:
		over = true
	case <-a.contact.alive:
	case <-long.C:
	}
	a.lose()
	if !over {
		<-done
	}
	ctx := context.WithoutCancel(a.ctx)
	if a.panicked != nil {
		s.tell(ctx, Event{Kind: Panicked, Ref: a.candidate.Ref, Err: a.panicked})
		s.learn(ctx, a, health.Unsure)
		return
	}
	a.err = a.givenUp()
	s.learn(ctx, a, s.judge(a))
}

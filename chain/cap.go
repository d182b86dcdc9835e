package chain

import (
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// A mirror on a sick host that nobody healthy stands beside is asked in its place, and
// the source may not be asked beside it. So that a lookup does not wait for its whole
// limit each time, it may be silent no longer than its patience while others stand
// behind it; if they all fail it is asked again, with all its time.

// quicken has a end when its host is sick and silent, unless it is time to see what
// the host does in all the time that there is: then a is a probe.
func (s *search[T]) quicken(a *attempt[T], left int) {
	host := a.candidate.Ref.Registry()
	if !a.candidate.Mirror || left < 2 || s.unhurried || a.aside || !s.Health.Sick(host) {
		return
	}
	if s.Health.State(host) == health.Open && s.Health.Probe(host) {
		a.probe = true
		return
	}
	var timer *time.Timer
	set := make(chan struct{})
	timer = time.AfterFunc(a.patience, func() {
		<-set
		switch silence := a.contact.silence(a.age()); {
		case a.contact.begun() || a.ctx.Err() != nil:
		case silence >= a.patience:
			a.mute.Store(true)
			a.stop()
		default: // not asked yet, or asked late
			timer.Reset(a.patience - silence)
		}
	})
	close(set)
	end := a.stop
	a.cancel = func() {
		timer.Stop()
		end()
	}
}

// muted is the error of an attempt that was ended for its silence.
func (a *attempt[T]) muted() error {
	if !ofContext(a.err) {
		return a.err
	}
	return &provider.Error{
		Op: opOf(a.err), Ref: a.candidate.Ref, Class: provider.ClassTimeout,
		Err: fmt.Errorf("no answer begun within %s, from a host that has failed before", a.patience.Round(time.Millisecond)),
	}
}

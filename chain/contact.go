package chain

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// contact is what is seen of an endpoint while it is asked. Base providers need not
// know of it: net/http tells of connections and the first byte through [httptrace].
type contact struct {
	start     time.Time
	asked     atomic.Int64  // when a connection was first wanted: 1 + ns after start; 0 until then
	firstByte atomic.Int64  // the same for the first byte of an answer
	alive     chan struct{} // closed with the first byte
	none      atomic.Bool
}

type contactKey struct{}

func withContact(ctx context.Context) (context.Context, *contact) {
	c := &contact{start: time.Now(), alive: make(chan struct{})}
	ctx = context.WithValue(ctx, contactKey{}, c)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.note(&c.asked) },
		GotFirstResponseByte: func() {
			// What answers our own cancellation is no life.
			if ctx.Err() == nil && c.note(&c.firstByte) {
				close(c.alive)
			}
		},
	}), c
}

// note notes what happens now, and reports whether it is the first time.
func (c *contact) note(at *atomic.Int64) bool {
	return at.CompareAndSwap(0, 1+int64(c.age()))
}

func (c *contact) begun() bool { return c.firstByte.Load() != 0 }

// age is how long ago the attempt began.
func (c *contact) age() time.Duration { return time.Since(c.start) }

// silence is for how long the endpoint had been silent when the attempt had that age:
// from the first connection on, since before that it is our own time, on our disk or
// with a token realm. It is 0 where a base provider tells nothing of connections.
func (c *contact) silence(age time.Duration) time.Duration {
	if asked := time.Duration(c.asked.Load()); asked != 0 && !c.begun() {
		return max(age-(asked-1), 0)
	}
	return 0
}

// wait is how long the first byte took; 0 if that is not known.
func (c *contact) wait() time.Duration {
	if !c.begun() {
		return 0
	}
	return max(time.Duration(c.firstByte.Load()-max(c.asked.Load(), 1)), 1)
}

// answeredFromMemory notes that what ctx belongs to is being answered without the
// endpoint: that the answer is good says nothing of the endpoint's health.
func answeredFromMemory(ctx context.Context) {
	if c, ok := ctx.Value(contactKey{}).(*contact); ok {
		c.none.Store(true)
	}
}

// patience is how long the endpoint may be silent before others are asked as well.
func (e *engine) patience(c policy.Candidate) time.Duration {
	if usual, ok := e.Health.Usual(c.Ref.Registry()); ok {
		return max(e.HedgeKnown, 2*usual)
	}
	return e.HedgeUnknown
}

// judge is what an attempt that is over says of the endpoint's host. Only failures
// of transport count against it. An answer counts for it, whatever its status, but
// that of an overloaded server, which proves nothing either way.
//
// Silence is a failure of transport too: of an attempt that was given up, when it was
// silent for its patience; and of one that the caller's deadline cut short, when that
// was far longer, since callers in a hurry are no reason to think ill of a mirror that
// takes its time. Where that is not so, nobody knows.
func (s *search[T]) judge(a *attempt[T]) health.Evidence {
	silence := a.contact.silence(max(a.lostAt, a.took))
	switch class := provider.ClassOf(a.err); {
	case a.contact.none.Load():
		return health.Unsure
	case a.answered:
		return health.Alive
	case (class == provider.ClassCanceled || elsewhere(a.err)) && a.contact.begun():
		return health.Alive
	case elsewhere(a.err):
		return health.Unsure
	case class == provider.ClassTimeout && (a.lost || a.mute.Load()):
		return failedIf(silence >= a.patience)
	case class == provider.ClassTimeout && a.ranOut && a.limit < s.limit:
		return failedIf(silence >= s.deaf(a.patience))
	default:
		return evidenceOf(class)
	}
}

func failedIf(failed bool) health.Evidence {
	if failed {
		return health.Failed
	}
	return health.Unsure
}

// deaf is a silence that shows by itself, whoever waits and for how long, that a host
// is not well: four times its patience, and that of a host that is not known.
func (e *engine) deaf(patience time.Duration) time.Duration {
	return 4 * max(patience, e.HedgeUnknown)
}

// elsewhere reports whether err is of a host that the endpoint led to. Were that held
// against the endpoint, one repository that redirects to nowhere would make a mirror
// sick that many share.
func elsewhere(err error) bool {
	e, ok := errors.AsType[*provider.Error](err)
	return ok && e.Elsewhere
}

func evidenceOf(c provider.Class) health.Evidence {
	switch c {
	case provider.ClassUnreachable, provider.ClassTimeout, provider.ClassTLS:
		return health.Failed
	case provider.ClassNotFound, provider.ClassUnauthorized, provider.ClassDigest,
		provider.ClassLimit, provider.ClassMalformed:
		return health.Alive
	}
	return health.Unsure
}

// learn reports what an attempt says of the endpoint's host.
func (s *search[T]) learn(ctx context.Context, a *attempt[T], says health.Evidence) {
	r := health.Report{
		Host: a.candidate.Ref.Registry(), Evidence: says, Probe: a.probe,
		FirstByte: a.contact.wait(), Err: a.err,
	}
	if r.FirstByte == 0 && a.answered && a.contact.asked.Load() == 0 {
		r.FirstByte = a.took // a base provider that tells nothing of first bytes
	}
	if says != health.Failed {
		r.Err = nil // of no concern to the host
	}
	if now, changed := s.Health.Report(r); changed {
		s.tell(ctx, Event{Kind: hostEvents[now], Ref: a.candidate.Ref, Err: r.Err})
	}
}

var hostEvents = [...]EventKind{health.Healthy: HostHealthy, health.Suspect: HostSuspect, health.Open: HostOpen}

package chain

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
)

// contact is what is seen of an endpoint while it is asked. Base providers need not
// know of it: net/http tells of the first byte through [httptrace].
type contact struct {
	start     time.Time
	firstByte atomic.Int64 // after start, in ns; 0 until then
	none      atomic.Bool
}

type contactKey struct{}

func withContact(ctx context.Context) (context.Context, *contact) {
	c := &contact{start: time.Now()}
	ctx = context.WithValue(ctx, contactKey{}, c)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() {
			if ctx.Err() == nil { // what answers our own cancellation is no life
				c.firstByte.CompareAndSwap(0, max(int64(time.Since(c.start)), 1))
			}
		},
	}), c
}

func (c *contact) begun() bool { return c.firstByte.Load() != 0 }

// answeredFromMemory notes that what ctx belongs to is being answered without the
// endpoint: that the answer is good says nothing of the endpoint's health.
func answeredFromMemory(ctx context.Context) {
	if c, ok := ctx.Value(contactKey{}).(*contact); ok {
		c.none.Store(true)
	}
}

// patience is how long the endpoint may be silent before others are asked as well.
func (e *engine) patience(c provider.Candidate) time.Duration {
	if usual, ok := e.Health.Usual(c.Ref.Registry()); ok {
		return max(e.HedgeKnown, 2*usual)
	}
	return e.HedgeUnknown
}

// judge is what an attempt that is over says of the endpoint's host. Only failures
// of transport count against it. An answer counts for it, whatever its status, but
// that of an overloaded server, which proves nothing either way.
//
// Silence is a failure of transport too: of an attempt that was cut short, when it
// was silent for longer than its patience. Where that is not so, nobody knows.
func (s *search[T]) judge(a *attempt[T]) health.Evidence {
	cut := a.lost || a.ranOut && a.limit < s.limit
	switch class := provider.ClassOf(a.err); {
	case a.contact.none.Load():
		return health.Unsure
	case a.answered:
		return health.Alive
	case (class == provider.ClassCanceled || elsewhere(a.err)) && a.contact.begun():
		return health.Alive
	case elsewhere(a.err):
		return health.Unsure
	case class == provider.ClassTimeout && cut:
		if a.overdue(max(a.lostAt, a.took)) {
			return health.Failed
		}
		return health.Unsure
	default:
		return evidenceOf(class)
	}
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
		FirstByte: time.Duration(a.contact.firstByte.Load()), Err: a.err,
	}
	if r.FirstByte == 0 && a.answered {
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

package failover

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

// connTrace records what an attempt sees of its endpoint. net/http reports connections
// and first bytes through [httptrace], so base providers do nothing for it.
type connTrace struct {
	start         time.Time
	wanted        atomic.Int64 // when a connection was first wanted: 1 + ns after start; 0 until then
	firstByte     atomic.Int64 // when the first byte of an answer came, in the same way
	firstByteRead chan struct{}
	fromMemory    atomic.Bool // see AnsweredFromMemory
}

type connTraceKey struct{}

func withConnTrace(ctx context.Context) (context.Context, *connTrace) {
	c := &connTrace{start: time.Now(), firstByteRead: make(chan struct{})}
	ctx = context.WithValue(ctx, connTraceKey{}, c)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.mark(&c.wanted) },
		GotFirstResponseByte: func() {
			// An answer to our own cancellation does not show that the host is healthy.
			if ctx.Err() == nil && c.mark(&c.firstByte) {
				close(c.firstByteRead)
			}
		},
	}), c
}

// mark stores the current time in at, and reports whether it was unset.
func (c *connTrace) mark(at *atomic.Int64) bool {
	return at.CompareAndSwap(0, 1+int64(c.age()))
}

// begun reports whether the endpoint has begun to answer.
func (c *connTrace) begun() bool { return c.firstByte.Load() != 0 }

// age returns the time since the attempt began.
func (c *connTrace) age() time.Duration { return time.Since(c.start) }

// silence returns how long the endpoint had been silent when the attempt had that age.
// It counts from the first connection: the time before that was spent elsewhere, on the
// local disk for example. It is 0 where a base provider reports no connections.
func (c *connTrace) silence(age time.Duration) time.Duration {
	if wanted := time.Duration(c.wanted.Load()); wanted != 0 && !c.begun() {
		return max(age-(wanted-1), 0)
	}
	return 0
}

// unanswered returns how long the lookup had waited for a first byte when the attempt had
// that age: the silence of the endpoint or, before a connection was wanted, the age.
func (c *connTrace) unanswered(age time.Duration) time.Duration {
	switch {
	case c.begun():
		return 0
	case c.wanted.Load() == 0:
		return age
	}
	return c.silence(age)
}

// firstByteAfter returns how long the first byte took; 0 if that is not known.
func (c *connTrace) firstByteAfter() time.Duration {
	if !c.begun() {
		return 0
	}
	return max(time.Duration(c.firstByte.Load()-max(c.wanted.Load(), 1)), 1)
}

// AnsweredFromMemory notes that a layer answers without asking the endpoint.
// Such an answer shows nothing about the health of the host.
func AnsweredFromMemory(ctx context.Context) {
	if c, ok := ctx.Value(connTraceKey{}).(*connTrace); ok {
		c.fromMemory.Store(true)
	}
}

// hedgeDelay returns how long c may be silent until another candidate is asked as well.
func (s *search[T]) hedgeDelay(c policy.Candidate) time.Duration {
	if typical, ok := s.cfg.Health.TypicalFirstByte(c.Ref.Registry()); ok {
		return max(s.cfg.HedgeKnown, 2*typical)
	}
	return s.cfg.HedgeUnknown
}

// unresponsiveAfter returns how long a host must be silent to count as failed, whoever
// ended the attempt: four times its hedge delay, and that of an unknown host.
func (s *search[T]) unresponsiveAfter(hedgeDelay time.Duration) time.Duration {
	return 4 * max(hedgeDelay, s.cfg.HedgeUnknown)
}

// classify returns what an attempt that has ended shows about its host. Only failures of
// the transport count as failures. Any answer counts as success, except one of an
// overloaded server, which shows nothing.
//
// Silence is a failure of the transport too, in two cases: the attempt was given up, or
// cut short by limitUnhealthy, and was silent for its hedge delay; or it ran out of a
// limit below Limit, and was silent for much longer. A caller with little time must not
// make a slow mirror count as failed.
func (s *search[T]) classify(a *attempt[T]) health.Outcome {
	silence := a.conn.silence(max(a.givenUpAt, a.took))
	switch class := provider.ClassOf(a.err); {
	case a.conn.fromMemory.Load():
		return health.Unknown
	case a.answered:
		return health.Success
	case (class == provider.ClassCanceled || isElsewhere(a.err)) && a.conn.begun():
		return health.Success
	case isElsewhere(a.err):
		return health.Unknown
	case class == provider.ClassTimeout && (a.givenUp || a.timedOutEarly.Load()):
		return failureIf(silence >= a.hedgeDelay)
	case class == provider.ClassTimeout && a.expired && a.limit < s.Limit:
		return failureIf(silence >= s.unresponsiveAfter(a.hedgeDelay))
	default:
		return outcomeOf(class)
	}
}

// isElsewhere reports whether err concerns a host that the endpoint led to. It does not
// count against the endpoint: otherwise one repository with a broken redirect would make
// a mirror unhealthy that many share.
func isElsewhere(err error) bool {
	e, ok := errors.AsType[*provider.Error](err)
	return ok && e.Elsewhere
}

func failureIf(failed bool) health.Outcome {
	if failed {
		return health.Failure
	}
	return health.Unknown
}

func outcomeOf(c provider.Class) health.Outcome {
	switch c {
	case provider.ClassUnreachable, provider.ClassTimeout, provider.ClassTLS:
		return health.Failure
	case provider.ClassNotFound, provider.ClassUnauthorized, provider.ClassDigest,
		provider.ClassLimit, provider.ClassMalformed, provider.ClassSignature:
		return health.Success
	}
	return health.Unknown
}

// reportHealth reports the outcome of an attempt to the health of its host.
func (s *search[T]) reportHealth(ctx context.Context, a *attempt[T], outcome health.Outcome) {
	r := health.Report{
		Host: a.candidate.Ref.Registry(), Outcome: outcome, Probe: a.probe,
		FirstByte: a.conn.firstByteAfter(), Err: a.err,
	}
	if r.FirstByte == 0 && a.answered && a.conn.wanted.Load() == 0 {
		r.FirstByte = a.took // the base provider reports no connections
	}
	if outcome != health.Failure {
		r.Err = nil // it does not concern the host
	}
	if now, changed := s.cfg.Health.Report(r); changed {
		s.observe(ctx, Event{Kind: HostChanged, Ref: a.candidate.Ref, State: now, Err: r.Err})
	}
}

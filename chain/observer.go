package chain

import (
	"context"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Observer is told what happens in a chain. Metrics, logs and traces are observers. It
// is called from many goroutines, during lookups: it must be fast and must not block.
//
// The observer of an [Observe] layer is given to the layers below when the chain is
// built, not in the context. So work that callers share is reported too. There ctx has no
// value of any caller's context. Without an observer nothing is done or allocated.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// ObserverFunc is a function that is an [Observer].
type ObserverFunc func(ctx context.Context, e Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }

// EventKind says what happened.
type EventKind uint8

// Values of [EventKind]. Others may be added; ignore those you do not know.
const (
	// LookupStarted: a lookup began.
	LookupStarted EventKind = iota
	// LookupDone: a lookup ended. Release or Err is set, and Took.
	LookupDone
	// AttemptDone: the attempt at Ref has ended. Took and Credential are set, and Err if it
	// failed.
	AttemptDone
	// RetryWaiting: all candidates have failed. Those that answered 429 or 5xx are asked
	// again after Wait. Err is the failure of one of them.
	RetryWaiting
	// CacheHit: the cache answered. Err is set if it had cached a failure.
	CacheHit
	// CacheMiss: the cache had no fresh answer, and this caller started the work.
	CacheMiss
	// CacheJoined: like CacheMiss, but the work of another caller was under way.
	CacheJoined
	// CacheStale: a stale answer was served, because no candidate answered. Err is the
	// reason. It is nil if the answer is served again soon after, without asking.
	CacheStale
	// StoreHit: the store held the content behind Ref, and access to it was granted.
	StoreHit
	// StoreMiss: the content behind Ref had to be read.
	StoreMiss
	// Panicked: a layer or the base panicked in work that callers share. They get Err, a
	// [*PanicError].
	Panicked
	// HedgeStarted: the endpoint Ref is asked as well, because those asked before have
	// not begun to answer. The last of them has been silent for Wait.
	HedgeStarted
	// HostSuspect: the host of Ref failed, and is asked after healthy hosts from now on.
	// Err is the reason. See [health.State], also for the next two.
	HostSuspect
	// HostUnhealthy: the host of Ref failed several times in a row. Err is the reason.
	HostUnhealthy
	// HostHealthy: the host of Ref answered again.
	HostHealthy
	// SignatureRefused: what Ref served lacks a required signature, or has an invalid one.
	// Err is the reason. The [provider.Verifier] decides whether it is used all the same.
	SignatureRefused
)

var eventNames = [...]string{
	LookupStarted: "lookup-started",
	LookupDone:    "lookup-done",
	AttemptDone:   "attempt-done",
	RetryWaiting:  "retry-waiting",
	CacheHit:      "cache-hit",
	CacheMiss:     "cache-miss",
	CacheJoined:   "cache-joined",
	CacheStale:    "cache-stale",
	StoreHit:      "store-hit",
	StoreMiss:     "store-miss",
	Panicked:      "panicked",
	HedgeStarted:  "hedge-started",
	HostSuspect:   "host-suspect",
	HostUnhealthy: "host-unhealthy",
	HostHealthy:   "host-healthy",

	SignatureRefused: "signature-refused",
}

// String returns a short word that stays the same, fit for the label of a metric.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is something that happened. Kind and Image are always set. The comment of each
// [EventKind] names the other fields that it sets. An event contains nothing secret.
type Event struct {
	Kind EventKind
	// Image is the image that the reporting layer was asked for.
	Image imageref.Ref
	// Ref is the candidate that the event is about.
	Ref imageref.Ref
	// Rules is the version of the rules of the lookup.
	Rules   string
	Err     error
	Took    time.Duration     // the duration of a lookup or an attempt
	Wait    time.Duration     // the time before a retry or a hedge
	Release *provider.Release // the answer of a lookup
	// Credential says whose credential Ref was asked with.
	Credential provider.CredentialOwner
}

// observers tells several observers.
type observers []Observer

func (os observers) Observe(ctx context.Context, e Event) {
	for _, o := range os {
		o.Observe(ctx, e)
	}
}

// rulesVersion returns the version of the request's rules; "" while it has none.
func rulesVersion(req *provider.Request) string {
	if req.Rules == nil {
		return ""
	}
	return req.Rules.Version()
}

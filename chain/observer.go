package chain

import (
	"context"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Observer is told what happens in a chain. Metrics, logs and traces hang on it.
// It is called from many goroutines, in the middle of lookups: it must be fast
// and must not block.
//
// The observer of an [Observe] layer is handed to the layers below it when the
// chain is built, not carried in the context: without one nothing is done or
// allocated, and work that is shared between callers reports as well as work for
// one. In such shared work ctx has no values of any caller.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// ObserverFunc is a function that is an [Observer].
type ObserverFunc func(ctx context.Context, e Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }

// EventKind says what happened.
type EventKind uint8

// Kinds of [Event]. More may come; ignore those you do not know.
const (
	// LookupStarted: a lookup came in.
	LookupStarted EventKind = iota
	// LookupDone: it was answered. Release or Err, and Took.
	LookupDone
	// AttemptDone: an endpoint, Ref, was asked. Err is nil if it answered; Took.
	AttemptDone
	// RetryWaiting: no candidate is left; those that may recover are asked again
	// after Wait. Err is why.
	RetryWaiting
	// CacheHit: answered from the cache. Err if it remembered a failure.
	CacheHit
	// CacheMiss: not in the cache, or expired there; this caller started the work.
	CacheMiss
	// CacheJoined: as CacheMiss, but another caller's work was under way.
	CacheJoined
	// CacheStale: an expired answer was served, because no candidate answered.
	// Err is why, nil while that is remembered.
	CacheStale
	// StoreHit: the content behind Ref was held, and access to it was proved.
	StoreHit
	// StoreMiss: the content behind Ref had to be read.
	StoreMiss
	// Panicked: a layer or the base panicked in work shared between callers; they
	// get Err, a [*PanicError].
	Panicked
	// HedgeStarted: the endpoint Ref is asked as well, since those asked before it
	// have not begun to answer; the one asked last for Wait.
	HedgeStarted
	// HostSuspect: the host of Ref failed, and is asked behind others from now on.
	// Err is why. See [health.State], here and below.
	HostSuspect
	// HostOpen: it failed too often in a row, and is left alone but for probes. Err
	// is why.
	HostOpen
	// HostHealthy: it answered again.
	HostHealthy
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
	HostOpen:      "host-open",
	HostHealthy:   "host-healthy",
}

// String is a short stable word, fit for a metric's label.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is something that happened. Only Kind and Image are always set. It holds
// nothing secret.
type Event struct {
	Kind EventKind
	// Image is what was asked for, by whoever asked the reporting layer.
	Image imageref.Ref
	// Ref is the endpoint concerned.
	Ref imageref.Ref
	// Rules is the version of the rules of the lookup.
	Rules   string
	Err     error
	Took    time.Duration
	Wait    time.Duration
	Release *provider.Release
}

// observers tells several.
type observers []Observer

func (os observers) Observe(ctx context.Context, e Event) {
	for _, o := range os {
		o.Observe(ctx, e)
	}
}

func rulesVersion(req *provider.Request) string {
	if req.Rules == nil {
		return ""
	}
	return req.Rules.Version()
}

package operator

import (
	"errors"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/provider"
)

// longestWait bounds what a registry can ask for: another endpoint may answer by then.
const longestWait = 5 * time.Minute

// RetryAfter returns when to come back after a lookup that failed because registries asked
// for patience, longer than a lookup has ([assembly.OperatorRetryAfter]): the shortest
// time that one of them asked for, 5 min at most. ok is false for any other failure,
// which is tried again with backoff.
func RetryAfter(err error) (wait time.Duration, ok bool) {
	lookup, is := errors.AsType[*chain.Error](err)
	if !is {
		return 0, false
	}
	for _, a := range lookup.Attempts {
		pe, is := errors.AsType[*provider.Error](a.Err)
		if is && pe.RetryAfter > assembly.OperatorRetryAfter && (!ok || pe.RetryAfter < wait) {
			wait, ok = pe.RetryAfter, true
		}
	}
	return min(wait, longestWait), ok
}

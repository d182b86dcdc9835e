package operator

import (
	"math/rand/v2"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Times that operators share.
const (
	// FirstRetry and LongestRetry are waits after failures, in a control plane. What a failure
	// may be mended by is watched, and does not wait.
	FirstRetry   = time.Second
	LongestRetry = time.Minute
	// LookupLimit bounds the lookups of one reconciliation, as in HyperShift. Endpoints have
	// limits of their own.
	LookupLimit = 2 * time.Minute
)

// Backoff returns a rate limiter whose waits after failures double, from [FirstRetry] to longest.
// To each it adds up to a fifth, so that those who failed together do not come back together.
func Backoff(longest time.Duration) workqueue.TypedRateLimiter[reconcile.Request] {
	return jitter{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](FirstRetry, longest)}
}

type jitter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

// When returns how long item waits after a failure.
func (j jitter) When(item reconcile.Request) time.Duration {
	wait := j.TypedRateLimiter.When(item)
	return wait + rand.N(wait/5+1)
}

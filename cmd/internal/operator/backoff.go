package operator

import (
	"math/rand/v2"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Backoff returns a rate limiter whose waits after failures double, from first to longest. To
// each it adds up to a fifth, so that those who failed together do not come back together.
func Backoff(first, longest time.Duration) workqueue.TypedRateLimiter[reconcile.Request] {
	return jitter{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](first, longest)}
}

type jitter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

// When returns how long item waits after a failure.
func (j jitter) When(item reconcile.Request) time.Duration {
	wait := j.TypedRateLimiter.When(item)
	return wait + rand.N(wait/5+1)
}

package hostedcluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/policy"
)

// Limits of a rollout of rules.
const (
	// rolloutAtOnce is how many control planes are written at once, half of them of one
	// namespace.
	rolloutAtOnce = 40
	// rolloutEach bounds one, whose admission may hang: it is then left to its reconciler.
	rolloutEach = 10 * time.Second
	// rolloutStall is how long reconcilers hold back while nothing is handed on, and rolloutAlone
	// with rolloutAloneEach, for each control plane, how long at most.
	rolloutStall     = 2 * time.Second
	rolloutAlone     = 5 * time.Second
	rolloutAloneEach = 20 * time.Millisecond
)

// handOverToAll hands rules to the known control planes of clusters, before these are
// reconciled. It uses no worker of the controller: those may all be waiting for
// registries, and new rules must not. What does not go well here is done again, and
// told, when the HostedCluster is reconciled. It ends early when other rules are in force.
// Namespaces take turns: admission may be slow in those of one tenant, and rules that
// its HostedClusters choose take time to be made.
func (r *Reconciler) handOverToAll(ctx context.Context, rules *policy.Rules, clusters client.ObjectList) {
	items := clusters.(*hyperv1.HostedClusterList).Items
	r.rollout.begin(len(items))
	defer r.rollout.end()
	inTurns(items, func(hc *hyperv1.HostedCluster) {
		if now := r.Rules(); ctx.Err() != nil || now.Version() != rules.Version() {
			return
		}
		if !hc.DeletionTimestamp.IsZero() || hypershift.ReadPause(hc.Spec.PausedUntil, time.Now()).Paused {
			return
		}
		limited, cancel := context.WithTimeout(ctx, rolloutEach)
		defer cancel()
		defer r.rollout.progress()
		if _, err := r.handOverKnown(limited, hc, r.viewOf(hc, rules).encodedRules, false); err != nil && !apierrors.IsConflict(err) && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "handing rules on failed; trying again", "HostedCluster", client.ObjectKeyFromObject(hc))
		}
	})
}

// inTurns calls do for each of clusters, [rolloutAtOnce] at once, in the order that the work
// queue of the controller has, and returns when all calls have.
func inTurns(clusters []hyperv1.HostedCluster, do func(*hyperv1.HostedCluster)) {
	order := newTurns(rolloutAtOnce, func(reconcile.Request) reason { return related })
	named := make(map[reconcile.Request]*hyperv1.HostedCluster, len(clusters))
	for i := range clusters {
		r := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&clusters[i])}
		named[r] = &clusters[i]
		order.Push(r)
	}
	var mu sync.Mutex // guards order
	next := func() (r reconcile.Request, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if order.Len() == 0 {
			return r, false // whoever is done goes on with what may be done then
		}
		return order.Pop(), true
	}
	var working sync.WaitGroup
	for range min(rolloutAtOnce, len(clusters)) {
		working.Go(func() {
			for r, ok := next(); ok; r, ok = next() {
				do(named[r])
				order.done(r)
			}
		})
	}
	working.Wait()
}

// fastRollout says that rules are being handed to all control planes, or will be soon: who
// becomes the active replica begins with that. Its zero value is ready, and safe for
// concurrent use.
type fastRollout struct {
	alone atomic.Pointer[time.Time] // until when at most; nil before the first one
	last  atomic.Pointer[time.Time] // when a control plane was done; nil before the first one
}

func (f *fastRollout) begin(controlPlanes int) {
	f.progress()
	f.alone.Store(new(time.Now().Add(rolloutAlone + time.Duration(controlPlanes)*rolloutAloneEach)))
}

func (f *fastRollout) progress() { f.last.Store(new(time.Now())) }

func (f *fastRollout) end() { f.alone.Store(new(time.Time)) }

// running reports whether a reconciliation is to be left for later, so that the rollout is
// done the sooner: the processor is shared, and so is the API server. It is not where the
// rollout makes no progress: an admission may hang.
func (f *fastRollout) running() bool {
	f.alone.CompareAndSwap(nil, new(time.Now().Add(rolloutAlone)))
	if last := f.last.Load(); last != nil && time.Since(*last) >= rolloutStall {
		return false
	}
	return time.Now().Before(*f.alone.Load())
}

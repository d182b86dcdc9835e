package hostedcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Limits of a dry run.
const (
	// dryRunStart is how long it waits for the policies of the cluster, and dryRunEach for one
	// HostedCluster, whose two releases may take [operator.LookupLimit] each.
	dryRunStart = time.Minute
	dryRunEach  = 3 * operator.LookupLimit
	// dryRunAgain is when a HostedCluster is judged again that was read too early.
	dryRunAgain = 100 * time.Millisecond
)

// dryRun starts mgr, judges every HostedCluster once, and ends.
func (r *Reconciler) dryRun(ctx context.Context, mgr manager.Manager, resolver *sources.Resolver, findImage func(context.Context) (string, error)) (failed []operator.Failure, err error) {
	if r.OperatorImage == "" {
		if r.OperatorImage, err = findImage(ctx); err != nil {
			return nil, err
		}
	}
	r.background = newBackground()
	r.background.grace = dryRunEach // nobody is called back
	r.rollout.end()
	ctx, end := context.WithCancel(ctx)
	defer end()
	var judging error
	err = errors.Join(
		mgr.Add(manager.RunnableFunc(r.background.Start)),
		mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			r.managed.follow(ctx, r.Live, func() {})
			return nil
		})),
		mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			defer end()
			failed, judging = r.judgeAll(ctx, func() error {
				return errors.Join(operator.NotInForce(resolver), r.Signatures.NotInForce())
			})
			return nil
		})),
	)
	if err == nil {
		err = mgr.Start(ctx)
	}
	return failed, cmp.Or(err, judging)
}

// judgeAll reconciles every HostedCluster once. It begins when missing returns nil: the policies
// are in force.
func (r *Reconciler) judgeAll(ctx context.Context, missing func() error) ([]operator.Failure, error) {
	starting, cancel := context.WithTimeout(ctx, dryRunStart)
	defer cancel()
	for {
		err := missing()
		if err == nil {
			break
		}
		if sleep.For(starting, dryRunAgain) != nil {
			return nil, fmt.Errorf("the policies of the cluster could not be read within %v: %w", dryRunStart, err)
		}
	}
	var all hyperv1.HostedClusterList
	if err := r.Live.List(starting, &all); err != nil {
		return nil, fmt.Errorf("listing the HostedClusters: %w", err)
	}
	var mu sync.Mutex
	var failed []operator.Failure
	var group errgroup.Group
	group.SetLimit(workers)
	for i := range all.Items {
		key := client.ObjectKeyFromObject(&all.Items[i])
		group.Go(func() error {
			if err := r.judge(ctx, key); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, operator.Failure{Name: "HostedCluster " + key.String(), Error: err.Error()})
			}
			return nil
		})
	}
	_ = group.Wait()
	slices.SortFunc(failed, func(a, b operator.Failure) int { return cmp.Compare(a.Name, b.Name) })
	return failed, ctx.Err()
}

// judge reconciles one HostedCluster to the end.
func (r *Reconciler) judge(ctx context.Context, key client.ObjectKey) error {
	ctx, cancel := context.WithTimeout(ctx, dryRunEach)
	defer cancel()
	for {
		_, err := r.once(ctx, reconcile.Request{NamespacedName: key})
		if !apierrors.IsConflict(err) && !errors.Is(err, errUnfinished) && !errors.Is(err, errLookupPending) {
			return err
		}
		if sleep.For(ctx, dryRunAgain) != nil {
			return fmt.Errorf("not judged within %v: %w", dryRunEach, err)
		}
	}
}

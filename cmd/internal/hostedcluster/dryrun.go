package hostedcluster

import (
	"context"
	"errors"
	"fmt"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources"
)

// dryRun starts mgr, judges every HostedCluster once, and ends.
func (r *Reconciler) dryRun(ctx context.Context, mgr manager.Manager, resolver *sources.Resolver, findImage func(context.Context) (string, error)) (failed []operator.Failure, err error) {
	if r.OperatorImage == "" {
		if r.OperatorImage, err = findImage(ctx); err != nil {
			return nil, err
		}
	}
	r.background = newBackground()
	r.background.grace = operator.JudgeEach // nobody is called back
	r.rollout.end()
	err = errors.Join(
		mgr.Add(manager.RunnableFunc(r.background.Start)),
		mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
			r.managed.follow(ctx, r.Live, func() {})
			return nil
		})),
	)
	if err != nil {
		return nil, err
	}
	return operator.Judgement{
		List:    &hyperv1.HostedClusterList{},
		Missing: func() error { return errors.Join(operator.NotInForce(resolver), r.Signatures.NotInForce()) },
		Judge: func(ctx context.Context, key client.ObjectKey) error {
			_, err := r.once(ctx, reconcile.Request{NamespacedName: key})
			if errors.Is(err, errUnfinished) || errors.Is(err, errLookupPending) {
				return fmt.Errorf("%w: %w", operator.ErrJudgedEarly, err)
			}
			return err
		},
	}.Run(ctx, mgr)
}

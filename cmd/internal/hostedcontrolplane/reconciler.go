package hostedcontrolplane

import (
	"context"
	"errors"
	"iter"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Settings are what the operator was started with. They do not change.
type Settings struct {
	// OperateOnRelease is the release of the control plane that this operator is of,
	// OPERATE_ON_RELEASE_IMAGE. A HostedControlPlane that names another one is left to
	// the operator that is about to replace this one. Empty: any.
	OperateOnRelease string
	// Image is that of the ignition server, the operator's own, before the Rewrite rules
	// are applied to it.
	Image imageref.Ref
	// RegistryOverrides are the Rewrite rules of the operator's own flag.
	RegistryOverrides []policy.Rule
	// Mounted says that the operator reads its other rules from a mounted ConfigMap,
	// which the ignition server is to be given as well.
	Mounted bool
	// Env is passed on to the ignition server: proxies.
	Env []corev1.EnvVar
	// UID is the user that pods run as; nil leaves it to the cluster.
	UID *int64
	// Skipped is what of --image-overrides could not be used, for the condition
	// [ImageOverridesApplied].
	Skipped []string
	// Overridden are the names in --image-overrides that have to be components of the
	// release.
	Overridden []string
	// CertificateDay is what lifetimes of certificates are counted in; 24 h if zero.
	CertificateDay time.Duration
}

// Reconciler makes of a HostedControlPlane what [Settings] and rules say. It is safe
// for concurrent use.
type Reconciler struct {
	// Client reads HostedControlPlanes, perhaps from a cache, and Secrets always from
	// the API server: a certificate must never be made twice for want of news.
	Client client.Client
	// Live reads from the API server, never from a cache.
	Live client.Reader
	// Applier writes objects.
	Applier *operator.Applier
	// Providers look releases up.
	Providers Providers
	// HandedOn are the rules that are handed on, Lookups those that releases are looked
	// up with, which may differ in what they say of tags. While they are nil nothing is
	// reconciled.
	HandedOn, Lookups func() *policy.Rules
	// Changes yields HandedOn's rules and each later version, as
	// [sources.Resolver.Changes] does.
	Changes  func(context.Context) iter.Seq[*policy.Rules]
	Settings Settings
	// Now is the time; nil is [time.Now].
	Now func() time.Time
}

// Reconcile brings the objects and the status of one HostedControlPlane up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	result, err := r.once(ctx, req)
	if wait, ok := operator.RetryAfter(err); ok {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	return result, err
}

// once reconciles as Reconcile does, and returns each error. The objects come first: they need no
// registry, which may take its time.
func (r *Reconciler) once(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	hcp := new(hyperv1.HostedControlPlane)
	if err := r.Client.Get(ctx, req.NamespacedName, hcp); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if hcp.DeletionTimestamp != nil { // what belongs to it goes with it
		return ctrl.Result{}, nil
	}
	now := time.Now()
	if r.Now != nil {
		now = r.Now()
	}
	if pause := hypershift.ReadPause(hcp.Spec.PausedUntil, now); pause.Paused {
		return ctrl.Result{RequeueAfter: pause.Left}, nil
	}
	if ours := r.Settings.OperateOnRelease; ours != "" && ours != hypershift.OperatedRelease(hcp) {
		log.FromContext(ctx).Info("left to the operator of another release", "release", hypershift.OperatedRelease(hcp), "ours", ours)
		return ctrl.Result{}, nil
	}
	handedOn, lookups := r.HandedOn(), r.Lookups()
	if handedOn == nil || lookups == nil { // it is reconciled again when there are rules
		log.FromContext(ctx).Info("the mirror rules are not known yet")
		return ctrl.Result{}, nil
	}

	hcp = hcp.DeepCopy()
	o := outcome{skipped: r.Settings.Skipped}
	good, err := r.objects(ctx, hcp, &o, handedOn, now)
	err = errors.Join(err, r.releases(ctx, hcp, &o, handedOn, lookups))
	if ctx.Err() != nil {
		return ctrl.Result{}, ctx.Err() // we are being stopped; that says nothing about the cluster
	}
	if err := errors.Join(err, r.report(ctx, hcp, o, now)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: good}, nil
}

// report writes o into the status of hcp. Others write there as well: what they wrote
// since hcp was read is read again and kept.
func (r *Reconciler) report(ctx context.Context, hcp *hyperv1.HostedControlPlane, o outcome, now time.Time) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		_, err := operator.PatchStatus(ctx, r.Client, r.Applier.Owner, hcp, func(hcp *hyperv1.HostedControlPlane) { o.write(hcp, now) })
		if !apierrors.IsConflict(err) {
			return err
		}
		fresh := new(hyperv1.HostedControlPlane)
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(hcp), fresh); err != nil {
			return err
		}
		if fresh.UID != hcp.UID || fresh.Generation != hcp.Generation {
			return nil // o is about what it was; it is reconciled as it is now
		}
		hcp = fresh
		return err
	})
	return client.IgnoreNotFound(err) // it was deleted meanwhile
}

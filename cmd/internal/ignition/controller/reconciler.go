package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/policy"
)

// Name is the server's name in logs, in events and as an owner of fields.
const Name = hypershift.IgnitionServer

const (
	// conflictRequeue is the wait before a Secret is reconciled again that somebody else has
	// written meanwhile.
	conflictRequeue = 200 * time.Millisecond
)

var (
	// errChanged says that a Secret asks for something else by now, or is gone.
	errChanged = errors.New("the token secret has changed")
	// errBusy says that the Secret waits for a slot.
	errBusy = errors.New("other payloads are being made")
)

// Reconciler carries out what [tokens.Decide] says of each token Secret. All fields
// but Rules and Now are required. It is safe for concurrent use.
type Reconciler struct {
	// Client reads Secrets and ConfigMaps from the API server, not from a cache: a
	// token must not be judged by an old version of its Secret.
	Client client.Client
	// Platform is the platform of the hosted cluster, as in its API.
	Platform  string
	Store     *tokens.Store
	Generator payload.Generator
	Release   *ReleaseInfo
	Metrics   *Metrics
	Log       *zap.Logger
	// Rules returns the rules in force. When they change, a payload that could not be made
	// is tried at once. Nil is none.
	Rules func() *policy.Rules
	// Now returns the time; nil is [time.Now].
	Now func() time.Time
	// Limit is how long making one payload may take; 0 is 10 min.
	Limit time.Duration
	// Slots bounds how many payloads are made at once; nil is any number.
	Slots *Slots

	memory memory
	first  sweep
}

// Reconcile brings one token Secret, and the payload served for it, up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if r.Slots != nil {
		defer r.Slots.settle(ctx, req.Name)
	}
	secret := new(corev1.Secret)
	err := r.Client.Get(ctx, req.NamespacedName, secret)
	gone := apierrors.IsNotFound(err)
	if err != nil && !gone {
		return ctrl.Result{}, fmt.Errorf("reading token secret %s: %w", req.Name, err)
	}
	if !gone {
		// A Secret may have been deleted and created again since it was read last.
		if err := r.Store.ForgetOthers(ctx, req.Name, string(secret.UID)); err != nil {
			return ctrl.Result{}, fmt.Errorf("token secret %s: %w", req.Name, err)
		}
	}
	state := stateOf(secret)
	state.Deleted = state.Deleted || gone
	plan := tokens.Decide(state, r.Store.Cached, r.now())

	switch {
	case plan.Forget:
		err = r.forget(ctx, req.Name, secret, plan.Delete)
	case plan.Rotate:
		err = r.rotate(ctx, secret, state)
	case plan.Alias:
		ok, e := r.Store.Alias(ctx, state.Token, state.OldToken)
		if e != nil {
			r.notKept(secret.Name, e)
		}
		if !ok { // it has expired this moment
			return ctrl.Result{RequeueAfter: conflictRequeue}, nil
		}
		err = r.served(ctx, secret, state)
	case plan.Generate:
		if wait := r.memory.wait(secret, r.rules(), r.now()); wait > 0 {
			if err := r.Release.Write(ctx, !r.first.underWay()); err != nil {
				return ctrl.Result{}, err // with its own wait
			}
			return ctrl.Result{RequeueAfter: wait}, nil
		}
		err = r.generate(ctx, secret, state)
	default:
		err = r.served(ctx, secret, state)
	}
	if ctx.Err() != nil { // the server ends; nothing is wrong with the Secret
		return ctrl.Result{}, ctx.Err()
	}
	switch {
	case apierrors.IsConflict(err) || errors.Is(err, errChanged):
		return ctrl.Result{RequeueAfter: conflictRequeue}, nil
	case errors.Is(err, errBusy): // it is woken; until then only its expiry matters
		return ctrl.Result{RequeueAfter: plan.RequeueAfter}, nil
	}
	if _, ok := errors.AsType[*hypershift.ReadError](err); !ok {
		r.first.done(req.Name)
	}
	if err := errors.Join(err, r.Release.Write(ctx, !r.first.underWay())); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: plan.RequeueAfter}, nil
}

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func (r *Reconciler) rules() *policy.Rules {
	if r.Rules != nil {
		return r.Rules()
	}
	return nil
}

// forget drops the tokens of a Secret, and deletes it if it has expired.
func (r *Reconciler) forget(ctx context.Context, name string, secret *corev1.Secret, expired bool) error {
	r.Release.Forget(name)
	r.memory.forget(name)
	if err := r.Store.Forget(ctx, name); err != nil {
		return fmt.Errorf("token secret %s: %w", name, err)
	}
	if !expired {
		return nil
	}
	// Not if somebody took the expiry back meanwhile.
	uid, version := secret.UID, secret.ResourceVersion
	err := r.Client.Delete(ctx, secret, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting expired token secret %s: %w", name, err)
	}
	return nil
}

// rotate gives the Secret a new token, and serves it once it is written: an unwritten one
// would take up room, and nobody could ask for one that another replica has replaced.
func (r *Reconciler) rotate(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	if p, ok := r.Store.Lookup(state.Token); ok {
		r.Release.Note(secret.Name, p.Missing)
	}
	rotated := state.Rotated(r.now())
	base := secret.DeepCopy()
	setToken(secret, rotated)
	err := r.Client.Patch(ctx, secret, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		return fmt.Errorf("rotating the token of secret %s: %w", secret.Name, err)
	}
	r.Metrics.rotations.Inc()
	if _, err := r.Store.Alias(ctx, rotated.Token, rotated.OldToken); err != nil {
		r.notKept(secret.Name, err)
	}
	return nil
}

// generate makes a payload and serves it, or reports why there is none.
func (r *Reconciler) generate(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	if r.Slots != nil {
		if !r.Slots.take(secret.Name) {
			return errBusy
		}
		defer r.Slots.give(ctx)
	}
	r.Metrics.misses.Inc()
	start, rules, inputs := time.Now(), r.rules(), r.memory.begin()
	result, err := r.make(ctx, secret)
	if ctx.Err() != nil {
		return ctx.Err() // whatever failed, it failed because the server ends
	}
	if _, ok := errors.AsType[*hypershift.ReadError](err); ok {
		return err // the API server is at fault, and not the Secret
	}
	if err != nil {
		r.memory.failure(secret, rules, inputs, r.now())
		if e, ok := errors.AsType[*payload.Error](err); ok && len(e.Missing) > 0 {
			r.Release.Note(secret.Name, e.Missing)
		}
		reason, message := payload.Report(err)
		_, reported := r.report(ctx, secret, failure(reason, message))
		return errors.Join(fmt.Errorf("making the payload of token secret %s: %w", secret.Name, err), reported)
	}
	r.Metrics.seconds.Observe(time.Since(start).Seconds())
	// A payload that the Secret does not ask for any more must not be served. If the API
	// server does not answer, nodes need not wait for it: see served.
	if same, err := r.unchanged(ctx, secret); err == nil && !same {
		return errChanged
	}
	r.Release.Note(secret.Name, result.Missing)
	p := tokens.Payload{
		Secret: secret.Name, UID: string(secret.UID), NodePool: secret.Annotations[tokens.AnnotationNodePool],
		CloudConfigHash: state.CloudConfigHash, Recipe: recipeOf(secret), Missing: result.Missing, Body: result.Ignition,
	}
	if err := r.Store.Set(ctx, p, state.Token, state.OldToken); err != nil {
		r.notKept(secret.Name, err)
	}
	err = r.reportSuccess(ctx, secret, success(result.Ignition, true))
	if errors.Is(err, errChanged) { // at this very moment
		err = errors.Join(err, r.Store.Forget(ctx, secret.Name))
	}
	return err
}

// reportSuccess reports a success, and remembers that it did.
func (r *Reconciler) reportSuccess(ctx context.Context, secret *corev1.Secret, o outcome) error {
	same, err := r.report(ctx, secret, o)
	if err != nil {
		return err
	}
	if !same {
		return errChanged
	}
	r.memory.success(secret)
	return nil
}

// make gathers the inputs of a payload and makes it.
func (r *Reconciler) make(ctx context.Context, secret *corev1.Secret) (payload.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Limit, 10*time.Minute))
	defer cancel()
	in, err := gather(ctx, r.Client, secret, r.Platform)
	if err != nil {
		return payload.Result{}, err
	}
	return r.Generator.Generate(ctx, in)
}

// served completes what this process or an earlier one may have left undone after the
// payload was stored. It does not change what others write later.
func (r *Reconciler) served(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	p, ok := r.Store.Lookup(state.Token)
	if !ok {
		return nil
	}
	r.Release.Note(secret.Name, p.Missing)
	if r.memory.isReported(secret) {
		return nil
	}
	if state.Reason != payload.ReasonAsExpected && p.Recipe != "" && p.Recipe != recipeOf(secret) {
		return r.generate(ctx, secret, state) // it changed before the payload was reported
	}
	return r.reportSuccess(ctx, secret, success(p.Body, false))
}

// notKept logs that a payload is served but will have to be made again after a restart.
func (r *Reconciler) notKept(secret string, err error) {
	r.Log.Warn("a payload is served but is not on disk", zap.String("secret", secret), zap.Error(err))
}

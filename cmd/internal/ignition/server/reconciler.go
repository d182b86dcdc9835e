package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Name is the server's: of its logs, its events and its field ownership.
const Name = "ignition-server"

// again is how soon a Secret is looked at again that somebody else wrote meanwhile.
const again = 200 * time.Millisecond

// Reconciler carries out what [tokens.Decide] says of each token Secret. All fields
// but Rules and Now are required. It is safe for concurrent use.
type Reconciler struct {
	// Client reads Secrets and ConfigMaps from the API server, not from a cache: a
	// token must not be judged by an old version of its Secret.
	Client client.Client
	// Platform is that of the hosted cluster, as in its API.
	Platform  string
	Store     *tokens.Store
	Generator payload.Generator
	Release   *ReleaseInfo
	Metrics   *Metrics
	Log       *zap.Logger
	// Rules are the current ones: with others a payload that could not be made is tried
	// at once. Nil is none.
	Rules func() *provider.Rules
	// Now is the time; nil is [time.Now].
	Now func() time.Time

	memory memory
}

// Reconcile brings one token Secret, and what is served for it, up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	secret := new(corev1.Secret)
	err := r.Client.Get(ctx, req.NamespacedName, secret)
	gone := apierrors.IsNotFound(err)
	if err != nil && !gone {
		return ctrl.Result{}, fmt.Errorf("reading token secret %s: %w", req.Name, err)
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
		if !ok { // its time has just run out
			return ctrl.Result{RequeueAfter: again}, nil
		}
		err = r.served(ctx, secret, state)
	case plan.Generate:
		if wait := r.memory.wait(secret, r.rules(), r.now()); wait > 0 {
			return ctrl.Result{RequeueAfter: wait}, r.Release.Write(ctx)
		}
		err = r.generate(ctx, secret, state)
	default:
		err = r.served(ctx, secret, state)
	}
	if ctx.Err() != nil { // we are about to end; nothing is wrong with the Secret
		return ctrl.Result{}, ctx.Err()
	}
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: again}, nil
	}
	if err := errors.Join(err, r.Release.Write(ctx)); err != nil {
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

func (r *Reconciler) rules() *provider.Rules {
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

// rotate gives the Secret a new token. Only once that is written it is served: a token
// that nobody was told of would take up room, and one that another replica's has
// replaced could never be asked for.
func (r *Reconciler) rotate(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
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

// generate makes a payload and has it served, or says why there is none.
func (r *Reconciler) generate(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	r.Metrics.misses.Inc()
	start, rules := time.Now(), r.rules()
	result, err := r.make(ctx, secret)
	if ctx.Err() != nil {
		return ctx.Err() // whatever failed, it failed because we end
	}
	if _, ok := errors.AsType[*readError](err); ok {
		return err // the API server's trouble, and not the Secret's
	}
	if err != nil {
		r.memory.failure(secret, rules, r.now())
		if e, ok := errors.AsType[*payload.Error](err); ok && len(e.Missing) > 0 {
			r.Release.Note(secret.Name, e.Missing)
		}
		reason, message := payload.Report(err)
		return errors.Join(fmt.Errorf("making the payload of token secret %s: %w", secret.Name, err),
			r.report(ctx, secret, failure(reason, message)))
	}
	r.Metrics.seconds.Observe(time.Since(start).Seconds())
	r.Release.Note(secret.Name, result.Missing)
	p := tokens.Payload{
		Secret: secret.Name, NodePool: secret.Annotations[tokens.AnnotationNodePool],
		CloudConfigHash: state.CloudConfigHash, Body: result.Ignition,
	}
	if err := r.Store.Set(ctx, p, state.Token, state.OldToken); err != nil {
		r.notKept(secret.Name, err)
	}
	return r.tell(ctx, secret, success(result.Ignition, true))
}

// tell reports a success, and remembers that it did.
func (r *Reconciler) tell(ctx context.Context, secret *corev1.Secret, o outcome) error {
	if err := r.report(ctx, secret, o); err != nil {
		return err
	}
	r.memory.success(secret)
	return nil
}

func (r *Reconciler) make(ctx context.Context, secret *corev1.Secret) (payload.Result, error) {
	in, err := gather(ctx, r.Client, secret, r.Platform)
	if err != nil {
		return payload.Result{}, err
	}
	return r.Generator.Generate(ctx, in)
}

// served makes good what may have been left undone after the payload was stored, by
// this process or the one before it. What others write later stays.
func (r *Reconciler) served(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	if state.Token == "" || r.memory.isTold(secret) {
		return nil
	}
	p, ok := r.Store.Lookup(state.Token)
	if !ok {
		return nil
	}
	return r.tell(ctx, secret, success(p.Body, false))
}

// notKept tells of a payload that is served, and that will have to be made again
// after a restart.
func (r *Reconciler) notKept(secret string, err error) {
	r.Log.Warn("a payload is served but is not on disk", zap.String("secret", secret), zap.Error(err))
}

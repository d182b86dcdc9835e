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

// Name is the server's: of its logs, its events and its field ownership.
const Name = hypershift.IgnitionServer

const (
	// again is how soon a Secret is looked at again that somebody else wrote meanwhile.
	again = 200 * time.Millisecond
	// whenBusy is how soon one is that waits for other payloads.
	whenBusy = time.Second
)

var (
	// errChanged says that a Secret asks for something else meanwhile, or is gone.
	errChanged = errors.New("the token secret has changed")
	// errBusy says that as many payloads are being made as may be at once.
	errBusy = errors.New("other payloads are being made")
)

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
	Rules func() *policy.Rules
	// Now is the time; nil is [time.Now].
	Now func() time.Time
	// Limit is how long making one payload may take; 0 is 10 min.
	Limit time.Duration
	// Turns is how many payloads are made at once: with more at hand the reconciler
	// comes back to a Secret and keeps no worker waiting. Nil is any number.
	Turns chan struct{}

	memory memory
	first  pass
}

// Reconcile brings one token Secret, and what is served for it, up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	secret := new(corev1.Secret)
	err := r.Client.Get(ctx, req.NamespacedName, secret)
	gone := apierrors.IsNotFound(err)
	if err != nil && !gone {
		return ctrl.Result{}, fmt.Errorf("reading token secret %s: %w", req.Name, err)
	}
	if !gone {
		// Of one that was deleted and made again between two looks only the second is seen.
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
		if !ok { // its time has just run out
			return ctrl.Result{RequeueAfter: again}, nil
		}
		err = r.served(ctx, secret, state)
	case plan.Generate:
		if wait := r.memory.wait(secret, r.rules(), r.now()); wait > 0 {
			return ctrl.Result{RequeueAfter: wait}, r.Release.Write(ctx, !r.first.underWay())
		}
		err = r.generate(ctx, secret, state)
	default:
		err = r.served(ctx, secret, state)
	}
	if ctx.Err() != nil { // we are about to end; nothing is wrong with the Secret
		return ctrl.Result{}, ctx.Err()
	}
	switch {
	case apierrors.IsConflict(err) || errors.Is(err, errChanged):
		return ctrl.Result{RequeueAfter: again}, nil
	case errors.Is(err, errBusy):
		return ctrl.Result{RequeueAfter: whenBusy}, nil
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

// rotate gives the Secret a new token. Only once that is written it is served: a token
// that nobody was told of would take up room, and one that another replica's has
// replaced could never be asked for.
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

// generate makes a payload and has it served, or says why there is none.
func (r *Reconciler) generate(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	if r.Turns != nil {
		select {
		case r.Turns <- struct{}{}:
			defer func() { <-r.Turns }()
		default:
			return errBusy
		}
	}
	r.Metrics.misses.Inc()
	start, rules, inputs := time.Now(), r.rules(), r.memory.begin()
	result, err := r.make(ctx, secret)
	if ctx.Err() != nil {
		return ctx.Err() // whatever failed, it failed because we end
	}
	if _, ok := errors.AsType[*hypershift.ReadError](err); ok {
		return err // the API server's trouble, and not the Secret's
	}
	if err != nil {
		r.memory.failure(secret, rules, inputs, r.now())
		if e, ok := errors.AsType[*payload.Error](err); ok && len(e.Missing) > 0 {
			r.Release.Note(secret.Name, e.Missing)
		}
		reason, message := payload.Report(err)
		_, told := r.report(ctx, secret, failure(reason, message))
		return errors.Join(fmt.Errorf("making the payload of token secret %s: %w", secret.Name, err), told)
	}
	r.Metrics.seconds.Observe(time.Since(start).Seconds())
	// What it does not ask for any more is not to be served. An API server that cannot
	// be asked keeps no node waiting: see served.
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
	err = r.tell(ctx, secret, success(result.Ignition, true))
	if errors.Is(err, errChanged) { // at this very moment
		err = errors.Join(err, r.Store.Forget(ctx, secret.Name))
	}
	return err
}

// tell reports a success, and remembers that it did.
func (r *Reconciler) tell(ctx context.Context, secret *corev1.Secret, o outcome) error {
	theOne, err := r.report(ctx, secret, o)
	if err != nil {
		return err
	}
	if !theOne {
		return errChanged
	}
	r.memory.success(secret)
	return nil
}

func (r *Reconciler) make(ctx context.Context, secret *corev1.Secret) (payload.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Limit, 10*time.Minute))
	defer cancel()
	in, err := gather(ctx, r.Client, secret, r.Platform)
	if err != nil {
		return payload.Result{}, err
	}
	return r.Generator.Generate(ctx, in)
}

// served makes good what may have been left undone after the payload was stored, by
// this process or the one before it. What others write later stays.
func (r *Reconciler) served(ctx context.Context, secret *corev1.Secret, state tokens.State) error {
	p, ok := r.Store.Lookup(state.Token)
	if !ok {
		return nil
	}
	r.Release.Note(secret.Name, p.Missing)
	if r.memory.isTold(secret) {
		return nil
	}
	if state.Reason != payload.ReasonAsExpected && p.Recipe != "" && p.Recipe != recipeOf(secret) {
		return r.generate(ctx, secret, state) // it changed before anybody could say that there is a payload
	}
	return r.tell(ctx, secret, success(p.Body, false))
}

// notKept tells of a payload that is served, and that will have to be made again
// after a restart.
func (r *Reconciler) notKept(secret string, err error) {
	r.Log.Warn("a payload is served but is not on disk", zap.String("secret", secret), zap.Error(err))
}

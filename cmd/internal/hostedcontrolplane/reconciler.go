package hostedcontrolplane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
	"github.com/mirrorchain/mirrorchain/provider"
)

// lookupLimit is how long the two releases of one reconciliation may take.
const lookupLimit = 2 * time.Minute

// behind is how long a cache is given to catch up.
const behind = 200 * time.Millisecond

// Settings are what the operator was started with. They do not change.
type Settings struct {
	// OperateOnRelease is the release of the control plane that this operator is of,
	// OPERATE_ON_RELEASE_IMAGE. A HostedControlPlane that names another one is left to
	// the operator that is about to replace this one. Empty: any.
	OperateOnRelease string
	// RegistryOverrides are the Rewrite rules of the operator's own flag.
	RegistryOverrides []provider.Rule
	// Mounted says that the operator reads its other rules from a mounted ConfigMap,
	// which the ignition server is to be given as well.
	Mounted bool
	// Env is passed on to the ignition server: proxies.
	Env []corev1.EnvVar
	// UID is the user that pods run as; nil leaves it to the cluster.
	UID *int64
	// CertificateDay is what lifetimes of certificates are counted in; 24 h if zero.
	CertificateDay time.Duration
}

// Reconciler makes of a HostedControlPlane what [Settings] and rules say. It is safe
// for concurrent use.
type Reconciler struct {
	// Client reads HostedControlPlanes, perhaps from a cache, and Secrets always from
	// the API server: a certificate must never be made twice for want of news.
	Client client.Client
	// Applier writes objects.
	Applier *operator.Applier
	// Providers look releases up.
	Providers Providers
	// HandedOn are the rules that are handed on, Lookups those that releases are looked
	// up with, which may differ in what they say of tags. While they are nil nothing is
	// reconciled.
	HandedOn, Lookups func() *provider.Rules
	Settings          Settings
	// Now is the time; nil is [time.Now].
	Now func() time.Time
}

// Reconcile brings the objects and the status of one HostedControlPlane up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
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
	if paused, until := pause(hcp.Spec.PausedUntil, now); paused {
		return ctrl.Result{RequeueAfter: until}, nil
	}
	if ours := r.Settings.OperateOnRelease; ours != "" && ours != ControlPlaneRelease(hcp) {
		log.FromContext(ctx).Info("left to the operator of another release", "release", ControlPlaneRelease(hcp), "ours", ours)
		return ctrl.Result{}, nil
	}
	handedOn, lookups := r.HandedOn(), r.Lookups()
	if handedOn == nil || lookups == nil { // it is reconciled again when there are rules
		log.FromContext(ctx).Info("the mirror rules are not known yet")
		return ctrl.Result{}, nil
	}

	hcp = hcp.DeepCopy()
	var o outcome
	result, err := r.reconcile(ctx, hcp, &o, handedOn, lookups, now)
	_, statusErr := operator.PatchStatus(ctx, r.Client, r.Applier.Owner, hcp, func(hcp *hyperv1.HostedControlPlane) { o.write(hcp, now) })
	switch {
	case apierrors.IsNotFound(statusErr): // it was deleted meanwhile
		statusErr = nil
	case apierrors.IsConflict(statusErr) && err == nil: // the cache is behind, perhaps our own last write
		return ctrl.Result{RequeueAfter: behind}, nil
	}
	if err := errors.Join(err, statusErr); err != nil {
		return ctrl.Result{}, err
	}
	return result, nil
}

func (r *Reconciler) reconcile(ctx context.Context, hcp *hyperv1.HostedControlPlane, o *outcome, handedOn, lookups *provider.Rules, now time.Time) (ctrl.Result, error) {
	releases, err := r.lookup(ctx, hcp, lookups)
	if err != nil {
		o.lookupErr = err
		if _, ok := errors.AsType[*PullSecretError](err); ok {
			return ctrl.Result{}, nil // the Secret is watched
		}
		return ctrl.Result{}, err
	}
	o.releases = &releases
	if Disabled(hcp) {
		return ctrl.Result{}, r.remove(ctx, hcp)
	}
	result, err := r.certificates(ctx, hcp, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	return result, r.ignition(ctx, hcp, o, handedOn)
}

func (r *Reconciler) lookup(ctx context.Context, hcp *hyperv1.HostedControlPlane, rules *provider.Rules) (Releases, error) {
	name := types.NamespacedName{Namespace: hcp.Namespace, Name: hcp.Spec.PullSecret.Name}
	if name.Name == "" {
		name.Name = PullSecret
	}
	creds, err := credentials(ctx, r.Client, name)
	if err != nil {
		return Releases{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	return r.Providers.Lookup(ctx, rules, creds, ControlPlaneRelease(hcp), hcp.Spec.ReleaseImage)
}

// certificates makes the serving certificate and its authority, and asks to be called
// when they are to be renewed.
func (r *Reconciler) certificates(ctx context.Context, hcp *hyperv1.HostedControlPlane, now time.Time) (ctrl.Result, error) {
	if _, ok := hcp.Annotations[hyperv1.DisablePKIReconciliationAnnotation]; ok {
		return ctrl.Result{}, nil
	}
	authority, err := r.pair(ctx, hcp, IgnitionAuthority)
	if err != nil {
		return ctrl.Result{}, err
	}
	serving, err := r.pair(ctx, hcp, IgnitionServer)
	if err != nil {
		return ctrl.Result{}, err
	}
	made, err := pki.Ensure(pki.Config{
		Authority: "ignition-root-ca", Name: IgnitionServer, Hosts: IgnitionHosts(hcp), Day: r.Settings.CertificateDay,
	}, authority, serving, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	for name, pair := range map[string]pki.Pair{IgnitionAuthority: made.Authority, IgnitionServer: made.Serving} {
		if _, err := r.Applier.Apply(ctx, CertificateSecret(hcp, name, pair)); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{RequeueAfter: max(made.Renew.Sub(now), time.Second)}, nil
}

func (r *Reconciler) pair(ctx context.Context, hcp *hyperv1.HostedControlPlane, name string) (pki.Pair, error) {
	var secret corev1.Secret
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: hcp.Namespace, Name: name}, &secret); client.IgnoreNotFound(err) != nil {
		return pki.Pair{}, fmt.Errorf("reading the certificate %s/%s: %w", hcp.Namespace, name, err)
	}
	return pki.FromData(secret.Data), nil
}

// CertificateSecret is the Secret of hcp that holds pair.
func CertificateSecret(hcp *hyperv1.HostedControlPlane, name string, pair pki.Pair) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: meta(hcp, name),
		Type: corev1.SecretTypeTLS, Data: pair.Data(),
	}
}

// ignition applies the ignition server's objects, as far as they can be made. What
// cannot is in the status; it becomes right by a change that is watched.
func (r *Reconciler) ignition(ctx context.Context, hcp *hyperv1.HostedControlPlane, o *outcome, rules *provider.Rules) error {
	o.handedOn = true
	cfg := IgnitionConfig{HCP: hcp, Env: r.Settings.Env, UID: r.Settings.UID}
	if r.Settings.Mounted {
		cfg.Overrides, o.handErr = HandOverMounted(r.Settings.RegistryOverrides)
	} else {
		cfg.Overrides, o.handErr = HandOver(rules)
	}
	server, haveServer := o.releases.ControlPlane.Component(ComponentOperator)
	gate, haveGate := o.releases.ControlPlane.Component(configComponent(o.releases.ControlPlane))
	cfg.Image, cfg.FeatureGateImage = server.Image.String(), gate.Image.String()

	objects, err := cfg.Objects()
	if err != nil {
		return err
	}
	for _, obj := range objects {
		if obj.GetObjectKind().GroupVersionKind().Kind == "Deployment" && (o.handErr != nil || !haveServer || !haveGate) {
			continue
		}
		if _, err := r.Applier.Apply(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes what [IgnitionConfig.Objects] makes; Secrets stay, since clients may
// still trust them when the server is wanted again.
func (r *Reconciler) remove(ctx context.Context, hcp *hyperv1.HostedControlPlane) error {
	objects, err := IgnitionConfig{HCP: hcp}.Objects()
	if err != nil {
		return err
	}
	for _, obj := range objects {
		live := obj.DeepCopyObject().(client.Object)
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(obj), live)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err == nil && metav1.IsControlledBy(live, hcp) {
			err = r.Client.Delete(ctx, live)
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("removing the ignition server: %w", err)
		}
	}
	return nil
}

// pause reads pausedUntil: a boolean, or a time. until is how long from now, 0 for
// ever.
func pause(field *string, now time.Time) (paused bool, until time.Duration) {
	if field == nil {
		return false, 0
	}
	if yes, err := strconv.ParseBool(*field); err == nil {
		return yes, 0
	}
	if at, err := time.Parse(time.RFC3339, *field); err == nil && at.After(now) {
		return true, at.Sub(now)
	}
	return false, 0
}

package hostedcontrolplane

import (
	"context"
	"errors"
	"fmt"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/policy"
)

// objects makes the ignition server's objects what hcp, rules and settings say, and
// says how long from now they stay right, 0 for ever. No registry is asked: rules that
// were changed because one is away must be handed on though it is.
func (r *Reconciler) objects(ctx context.Context, hcp *hyperv1.HostedControlPlane, o *outcome, rules *policy.Rules, now time.Time) (time.Duration, error) {
	if Disabled(hcp) {
		return 0, r.remove(ctx, hcp)
	}
	good, certErr := r.certificates(ctx, hcp, now)
	return good, errors.Join(certErr, r.ignition(ctx, hcp, o, rules))
}

// ignition applies the ignition server's objects, all but a Deployment that the rules
// cannot be handed on with: the one that is there keeps those it has. What is wrong is
// in the status; it becomes right by a change that is watched.
func (r *Reconciler) ignition(ctx context.Context, hcp *hyperv1.HostedControlPlane, o *outcome, rules *policy.Rules) error {
	o.handedOn = true
	cfg := IgnitionConfig{HCP: hcp, Image: rules.Rewrite(r.Settings.Image).String(), Env: r.Settings.Env, UID: r.Settings.UID}
	if r.Settings.Mounted {
		cfg.Overrides, o.handErr = HandOverMounted(r.Settings.RegistryOverrides)
	} else {
		cfg.Overrides, o.handErr = HandOver(rules)
	}
	objects, err := cfg.Objects()
	if err != nil {
		return err
	}
	for _, obj := range objects {
		if _, ok := obj.(*appsv1.Deployment); ok && o.handErr != nil {
			continue
		}
		if _, err := r.Applier.Apply(ctx, obj); err != nil {
			return err
		}
	}
	return nil
}

// rolledOut reports whether the ignition server runs, all of it, as it is wanted for
// the release that hcp names. A cache that is behind says too little, never too much.
func (r *Reconciler) rolledOut(ctx context.Context, hcp *hyperv1.HostedControlPlane) (bool, error) {
	if Disabled(hcp) {
		return true, nil
	}
	d := new(appsv1.Deployment)
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: hcp.Namespace, Name: hypershift.IgnitionServer}, d)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the ignition server's Deployment: %w", err)
	}
	return d.Spec.Template.Annotations[hyperv1.ReleaseImageAnnotation] == hypershift.OperatedRelease(hcp) && complete(d), nil
}

// complete reports whether all pods of d are of its latest template, and available.
func complete(d *appsv1.Deployment) bool {
	s := d.Status
	return d.Spec.Replicas != nil && s.ObservedGeneration >= d.Generation &&
		s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == s.UpdatedReplicas && s.AvailableReplicas == s.UpdatedReplicas
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
			err = r.Client.Delete(ctx, live, client.Preconditions{UID: new(live.GetUID()), ResourceVersion: new(live.GetResourceVersion())})
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("removing the ignition server: %w", err)
		}
	}
	return nil
}

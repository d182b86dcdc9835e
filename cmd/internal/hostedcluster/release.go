package hostedcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// errPullSecretUnavailable says that there is no pull secret to look up with.
var errPullSecretUnavailable = errors.New("pull secret unavailable")

// readError says that the API server did not let something be read that may well be
// there: it is away, or forbids it.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

// lookupLimit bounds one lookup, as in HyperShift. Endpoints have limits of their own.
const lookupLimit = 2 * time.Minute

// hypershiftComponent is the component whose image has the control-plane-operator.
const hypershiftComponent = "hypershift"

// getPullSecret reads hc's pull secret. It is an errPullSecretUnavailable where
// there is none, or none in it.
func getPullSecret(ctx context.Context, c client.Reader, hc *hyperv1.HostedCluster) (*corev1.Secret, error) {
	key := client.ObjectKey{Namespace: hc.Namespace, Name: hc.Spec.PullSecret.Name}
	secret := new(corev1.Secret)
	err := c.Get(ctx, key, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%w: there is no Secret %s (spec.pullSecret)", errPullSecretUnavailable, key)
	case err != nil:
		return nil, &readError{fmt.Errorf("reading the pull secret %s: %w", key, err)}
	case len(secret.Data[pullSecretKey]) == 0:
		return nil, fmt.Errorf("%w: the Secret %s has nothing under %s", errPullSecretUnavailable, key, pullSecretKey)
	}
	return secret, nil
}

// found is what was looked up for a HostedCluster.
type found struct {
	controlPlane *provider.Release // mostly the same as that of the cluster
	arch         hyperv1.PayloadArchType
}

// lookup reads the release of hc and that of its control plane, with the cluster's own
// pull secret and CA bundle.
func (r *Reconciler) lookup(ctx context.Context, hc *hyperv1.HostedCluster, secret *corev1.Secret, bundle string) (f found, err error) {
	credentials, err := provider.ParseCredentials(secret.Data[pullSecretKey])
	if err != nil {
		return f, fmt.Errorf("pull secret %s, %s: %w", client.ObjectKeyFromObject(secret), pullSecretKey, err)
	}
	chains, done, err := r.Lookups.For(bundle)
	defer done()
	if err != nil {
		return f, fmt.Errorf("CA bundle %s/%s, %s (spec.additionalTrustBundle): %w", hc.Namespace, hc.Spec.AdditionalTrustBundle.Name, trustBundleKey, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	one := func(field, image string) (provider.Request, *provider.Release, error) {
		ref, err := imageref.Parse(image)
		if err != nil {
			return provider.Request{}, nil, fmt.Errorf("%s: %w", field, err)
		}
		req := provider.Request{Image: ref, Credentials: credentials}
		release, err := chains.releases.Lookup(ctx, req)
		return req, release, err
	}
	req, release, err := one("spec.release.image", hc.Spec.Release.Image)
	if err != nil {
		return f, err
	}
	f.controlPlane = release
	if image := controlPlaneRelease(hc); image != hc.Spec.Release.Image {
		if _, f.controlPlane, err = one("spec.controlPlaneRelease.image", image); err != nil {
			return f, err
		}
	}
	f.arch, err = r.architectures.of(ctx, chains.images, hc, req, release)
	return f, err
}

// getTrustBundle reads the CA bundle that hc refers to, "" if it refers to none.
func getTrustBundle(ctx context.Context, c client.Reader, hc *hyperv1.HostedCluster) (string, error) {
	ref := hc.Spec.AdditionalTrustBundle
	if ref == nil {
		return "", nil
	}
	from, key := new(corev1.ConfigMap), client.ObjectKey{Namespace: hc.Namespace, Name: ref.Name}
	if err := c.Get(ctx, key, from); err != nil {
		err := fmt.Errorf("reading the CA bundle (spec.additionalTrustBundle): %w", err)
		if apierrors.IsNotFound(err) {
			return "", err
		}
		return "", &readError{err}
	}
	if from.Data[trustBundleKey] == "" {
		return "", fmt.Errorf("the ConfigMap %s (spec.additionalTrustBundle) has nothing under %s", key, trustBundleKey)
	}
	return from.Data[trustBundleKey], nil
}

// cpoImage is the image of hc's control-plane-operator (HyperShift's
// support/util/util.go:505, with the flag after the annotation).
func (s *Settings) cpoImage(hc *hyperv1.HostedCluster, controlPlane *provider.Release) string {
	if image := s.namedImage(hc); image != "" {
		return image
	}
	if c, ok := controlPlane.Component(hypershiftComponent); ok {
		return c.Image.String()
	}
	return s.OperatorImage
}

// namedImage is the image that somebody named, whatever the release says, or "".
func (s *Settings) namedImage(hc *hyperv1.HostedCluster) string {
	return cmp.Or(hc.Annotations[hyperv1.ControlPlaneOperatorImageAnnotation], s.ControlPlaneOperatorImage)
}

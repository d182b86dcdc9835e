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
		return nil, fmt.Errorf("reading the pull secret %s: %w", key, err)
	case len(secret.Data[pullSecretKey]) == 0:
		return nil, fmt.Errorf("%w: the Secret %s has nothing under %s", errPullSecretUnavailable, key, pullSecretKey)
	}
	return secret, nil
}

// lookup reads the release of hc and that of its control plane, which is mostly the
// same one, with the cluster's own pull secret.
func lookup(ctx context.Context, p provider.ReleaseProvider, hc *hyperv1.HostedCluster, secret *corev1.Secret) (release, controlPlane *provider.Release, err error) {
	credentials, err := provider.ParseCredentials(secret.Data[pullSecretKey])
	if err != nil {
		return nil, nil, fmt.Errorf("pull secret %s, %s: %w", client.ObjectKeyFromObject(secret), pullSecretKey, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	one := func(field, image string) (*provider.Release, error) {
		ref, err := imageref.Parse(image)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		return p.Lookup(ctx, provider.Request{Image: ref, Credentials: credentials})
	}
	if release, err = one("spec.release.image", hc.Spec.Release.Image); err != nil {
		return nil, nil, err
	}
	if image := controlPlaneRelease(hc); image != hc.Spec.Release.Image {
		controlPlane, err = one("spec.controlPlaneRelease.image", image)
		return release, controlPlane, err
	}
	return release, release, nil
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

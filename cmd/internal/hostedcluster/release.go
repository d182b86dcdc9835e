package hostedcluster

import (
	"cmp"
	"context"
	"fmt"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// lookupLimit bounds one lookup, as in HyperShift. Endpoints have limits of their own.
const lookupLimit = 2 * time.Minute

// hypershiftComponent is the component whose image has the control-plane-operator.
const hypershiftComponent = "hypershift"

// found is what was looked up for a HostedCluster.
type found struct {
	controlPlane *provider.Release // mostly the same as that of the cluster
	arch         hyperv1.PayloadArchType
	trust        string // what of the CA bundle is not trusted; "" if nothing
}

// lookup reads the release of hc and that of its control plane, with the cluster's own
// pull secret and CA bundle.
func (r *Reconciler) lookup(ctx context.Context, hc *hyperv1.HostedCluster, credentials provider.Credentials, bundle string) (f found, err error) {
	chains, done, err := r.Lookups.For(bundle)
	defer done()
	if err != nil {
		return f, fmt.Errorf("CA bundle %s/%s, %s (spec.additionalTrustBundle): %w", hc.Namespace, hc.Spec.AdditionalTrustBundle.Name, hypershift.CABundleKey, err)
	}
	f.trust = chains.trust
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
	if image := hypershift.ControlPlaneRelease(hc); image != hc.Spec.Release.Image {
		if _, f.controlPlane, err = one("spec.controlPlaneRelease.image", image); err != nil {
			return f, err
		}
	}
	f.arch, err = r.architectures.of(ctx, chains.images, hc, req, release)
	return f, err
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

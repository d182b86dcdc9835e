package hostedcluster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// hypershiftComponent is the component whose image has the control-plane-operator.
const hypershiftComponent = "hypershift"

// found is what was looked up for a HostedCluster.
type found struct {
	pullSecret   *corev1.Secret
	credentials  provider.Credentials // what it holds
	mirrors      provider.MirrorCredentials
	bundle       string            // the additional CA bundle, "" if there is none
	release      *provider.Release // of the cluster
	controlPlane *provider.Release // mostly the same as that of the cluster
	arch         hyperv1.PayloadArchType
	unused       unused
}

// unused is what of a HostedCluster's inputs is not used, and why; "" where all is used.
type unused struct {
	certificates string // of the CA bundle
	entries      string // of the pull secret
	mirrors      string // of the credentials for mirrors
}

// lookUp reads what hc is looked up with by its view of rules, and has the releases read beside the workers. It
// is an errLookupPending while that is under way, and an errUnfinished where rules are not
// in force any more before it is done.
func (r *Reconciler) lookUp(ctx context.Context, hc *hyperv1.HostedCluster, rules *policy.Rules, view *view) (f found, err error) {
	secret, credentials, err := hypershift.Credentials(ctx, r.Client, client.ObjectKey{Namespace: hc.Namespace, Name: hc.Spec.PullSecret.Name})
	if err != nil {
		return f, err
	}
	var bundle string
	if ref := hc.Spec.AdditionalTrustBundle; ref != nil {
		if bundle, err = hypershift.ReadCABundle(ctx, r.Client, client.ObjectKey{Namespace: hc.Namespace, Name: ref.Name}); err != nil {
			return f, fmt.Errorf("spec.additionalTrustBundle: %w", err)
		}
	}
	mirrors, unusedMirrors, err := r.mirrorCredentials(ctx, hc)
	if err != nil {
		return f, err
	}
	of := hc.DeepCopy()
	id := lookupID(hc, secret, bundle, view.of.Version(), mirrors.ID(), unusedMirrors, r.managed.current.Load().version, r.Lookups.verifierID(hypershift.ControlPlaneNamespace(hc)))
	return r.background.get(ctx, client.ObjectKeyFromObject(hc), id, hostOf(hc), func(ctx context.Context) (found, error) {
		inForce, leave := operator.WhileInForce(ctx, r.Changes, rules)
		defer leave()
		f, err := r.lookup(inForce, of, view, credentials, mirrors, bundle)
		if errors.Is(context.Cause(inForce), operator.ErrRulesChanged) {
			return found{}, errUnfinished // by the old rules, and must not be written
		}
		f.pullSecret, f.credentials, f.mirrors, f.bundle = secret, credentials, mirrors, bundle
		f.unused.entries, f.unused.mirrors = hypershift.UnusedEntries(credentials), unusedMirrors
		return f, err
	})
}

// lookupID tells apart lookups of one HostedCluster: by all that a lookup depends on.
func lookupID(hc *hyperv1.HostedCluster, secret *corev1.Secret, versions ...string) string {
	h := sha256.New()
	for _, part := range append([]string{
		string(hc.UID), hc.Spec.Release.Image, hypershift.ControlPlaneRelease(hc), string(secret.Data[hypershift.PullSecretKey]),
	}, versions...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return string(h.Sum(nil))
}

// hostOf returns the registry host that hc names.
func hostOf(hc *hyperv1.HostedCluster) string {
	ref, err := imageref.Parse(hc.Spec.Release.Image)
	if err != nil {
		return "" // and no host is asked
	}
	return ref.Registry()
}

// lookup reads the release of hc and that of its control plane, with the cluster's own
// pull secret and CA bundle.
func (r *Reconciler) lookup(ctx context.Context, hc *hyperv1.HostedCluster, view *view, credentials provider.Credentials, mirrors provider.MirrorCredentials, bundle string) (f found, err error) {
	chains, done, err := r.Lookups.For(bundle)
	defer done()
	if err != nil {
		return f, fmt.Errorf("CA bundle %s/%s, %s (spec.additionalTrustBundle): %w", hc.Namespace, hc.Spec.AdditionalTrustBundle.Name, hypershift.CABundleKey, err)
	}
	f.unused.certificates = chains.trust
	ctx, cancel := context.WithTimeout(ctx, operator.LookupLimit)
	defer cancel()
	one := func(field, image string) (provider.Request, *provider.Release, error) {
		ref, err := imageref.Parse(image)
		if err != nil {
			return provider.Request{}, nil, fmt.Errorf("%s: %w", field, err)
		}
		// The control plane's pods run the release, so it is its namespace that counts.
		req := provider.Request{Image: ref, Rules: view.lookups, Credentials: credentials, MirrorCredentials: mirrors, Verifier: chains.verifierFor(hypershift.ControlPlaneNamespace(hc))}
		release, err := chains.releases.Lookup(ctx, req)
		return req, release, err
	}
	req, release, err := one("spec.release.image", hc.Spec.Release.Image)
	if err != nil {
		return f, err
	}
	f.release, f.controlPlane = release, release
	if image := hypershift.ControlPlaneRelease(hc); image != hc.Spec.Release.Image {
		if _, f.controlPlane, err = one("spec.controlPlaneRelease.image", image); err != nil {
			return f, err
		}
	}
	f.arch, err = r.architectures.of(ctx, chains.images, hc, req, release)
	return f, err
}

// cpoImage returns the image of hc's control-plane-operator (HyperShift's
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

// namedImage returns the image that somebody named, whatever the release says, or "".
func (s *Settings) namedImage(hc *hyperv1.HostedCluster) string {
	return cmp.Or(hc.Annotations[hyperv1.ControlPlaneOperatorImageAnnotation], s.ControlPlaneOperatorImage)
}

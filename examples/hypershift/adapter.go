package hypershift

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/coreos/stream-metadata-go/stream"
	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/bootimages"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Registry is a [RegistryProvider]. It is safe for concurrent use.
type Registry struct {
	overrides map[string]string
	rules     *sources.Resolver
	releases  provider.ReleaseProvider
	images    metadata
}

var _ RegistryProvider = (*Registry)(nil)

// New returns a Registry that reads through base. overrides is --registry-overrides, and
// srcs are the mirror policies: those of package sources/cluster in an operator, those of
// package sources/env in what an operator deploys. It fails for policies that are wrong.
func New(ctx context.Context, base *registry.Provider, overrides map[string]string, srcs ...policy.OverrideSource) (*Registry, error) {
	rewrites, err := handover.RegistryOverridesRules(overrides, "--registry-overrides")
	if err != nil {
		return nil, err
	}
	srcs = append(srcs, sources.Static("--registry-overrides", policy.Policy{Rules: rewrites}))
	r := &Registry{overrides: maps.Clone(overrides)}
	if r.rules, err = sources.NewResolver(ctx, sources.ResolverConfig{}, srcs...); err != nil {
		return nil, err
	}
	mirrors := chain.MirrorsConfig{Health: health.New(health.Config{})}
	if r.releases, err = chain.New(base, r.rules.Current, chain.Default(chain.DefaultConfig{Mirrors: mirrors})...); err != nil {
		return nil, err
	}
	if r.images.images, err = chain.Images(base, r.rules.Current, mirrors); err != nil {
		return nil, err
	}
	r.images.contents, err = chain.Contents(base, r.rules.Current, mirrors)
	return r, err
}

// Start follows the policies until ctx ends. Add the Registry to the manager.
func (r *Registry) Start(ctx context.Context) error { return r.rules.Start(ctx) }

// NeedLeaderElection reports false: every replica looks releases up.
func (r *Registry) NeedLeaderElection() bool { return false }

// Reconcile returns an error until the policies have been read once. Start follows them, so
// nothing is read here, and c is not used.
func (r *Registry) Reconcile(context.Context, client.Client) error {
	if r.rules.Current() == nil {
		return provider.ErrNoRules
	}
	return nil
}

// GetReleaseProvider returns r.
func (r *Registry) GetReleaseProvider() ProviderWithOpenShiftImageRegistryOverrides { return r }

// GetMetadataProvider returns the provider of images, by the same policies.
func (r *Registry) GetMetadataProvider() ImageMetadataProvider { return r.images }

// GetRegistryOverrides returns what New was given.
func (r *Registry) GetRegistryOverrides() map[string]string { return maps.Clone(r.overrides) }

// GetOpenShiftImageRegistryOverrides returns the mirrors in force; nil for none, and until
// the policies have been read.
func (r *Registry) GetOpenShiftImageRegistryOverrides() map[string][]string {
	rules := r.rules.Current()
	if rules == nil {
		return nil
	}
	return handover.ImageOverrides(rules)
}

// GetMirroredReleaseImage returns "". Which mirror served is a fact of one lookup, and is in
// [ReleaseImage].PulledFrom; HyperShift then goes on with the reference that it has.
func (r *Registry) GetMirroredReleaseImage() string { return "" }

// Lookup looks up the release image, at the mirrors that the policies name for it.
func (r *Registry) Lookup(ctx context.Context, image string, pullSecret []byte) (*ReleaseImage, error) {
	req, err := request(image, pullSecret)
	if err != nil {
		return nil, err
	}
	release, err := r.releases.Lookup(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("failed to get release image %s: %w", image, err)
	}
	out := &ReleaseImage{
		ImageStream: &imagev1.ImageStream{
			TypeMeta:   metav1.TypeMeta{Kind: "ImageStream", APIVersion: imagev1.GroupVersion.String()},
			ObjectMeta: metav1.ObjectMeta{Name: release.Version(), CreationTimestamp: metav1.NewTime(release.Created())},
		},
		PulledFrom: release.PulledFrom().String(),
		canonical:  map[string]string{},
		versions:   release.ComponentVersions(),
	}
	out.versions["release"] = release.Version()
	for c := range release.Components() {
		from := &corev1.ObjectReference{Kind: "DockerImage", Name: c.Image.String()}
		out.Spec.Tags = append(out.Spec.Tags, imagev1.TagReference{Name: c.Name, Annotations: c.Annotations, From: from})
		out.canonical[c.Name] = c.Canonical.String()
	}
	boot := sync.OnceValues(func() (*bootimages.BootImages, error) { return bootimages.Parse(release.BootImages()) })
	out.stream = func(name string) (*stream.Stream, error) {
		images, err := boot()
		if err != nil {
			return nil, fmt.Errorf("boot images of %s: %w", image, err)
		}
		if s, ok := images.Stream(name); ok {
			return s, nil
		}
		// A release before 5.0 has one stream for all names.
		if s, ok := images.Default(); ok && len(images.Names()) == 0 {
			return s, nil
		}
		return nil, fmt.Errorf("stream %q not found; available streams: %v", name, images.Names())
	}
	return out, nil
}

// Version returns the version of the release.
func (i *ReleaseImage) Version() string { return i.Name }

// ComponentImages returns the images to hand on, by component.
func (i *ReleaseImage) ComponentImages() map[string]string {
	images := make(map[string]string, len(i.Spec.Tags))
	for _, tag := range i.Spec.Tags {
		images[tag.Name] = tag.From.Name
	}
	return images
}

// CanonicalComponentImages returns the images as the release states them, for the data plane.
func (i *ReleaseImage) CanonicalComponentImages() map[string]string { return maps.Clone(i.canonical) }

// ComponentVersions returns the versions that the components state, and that of the release.
func (i *ReleaseImage) ComponentVersions() (map[string]string, error) {
	return maps.Clone(i.versions), nil
}

// StreamForName returns the boot images of a stream; "" is the default one. They are parsed
// when first asked for.
func (i *ReleaseImage) StreamForName(name string) (*stream.Stream, error) { return i.stream(name) }

func request(image string, pullSecret []byte) (provider.Request, error) {
	ref, err := imageref.Parse(image)
	if err != nil {
		return provider.Request{}, fmt.Errorf("failed to parse image reference %q: %w", image, err)
	}
	req := provider.Request{Image: ref}
	if len(pullSecret) > 0 {
		if req.Credentials, err = provider.ParseCredentials(pullSecret); err != nil {
			return provider.Request{}, fmt.Errorf("failed to parse docker credentials: %w", err)
		}
	}
	return req, nil
}

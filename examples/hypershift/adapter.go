package hypershift

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/coreos/stream-metadata-go/stream"
	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain"
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
	*mirrorchain.Client
	overrides map[string]string
	secret    atomic.Pointer[parsedSecret]
}

var _ RegistryProvider = (*Registry)(nil)

// New returns a Registry that reads through base and follows the policies until it is
// closed. overrides is --registry-overrides, and srcs are the mirror policies: those of
// package sources/cluster or sources/reader in an operator, those of package sources/env in
// what an operator deploys. It fails for policies that are wrong.
func New(ctx context.Context, base *registry.Provider, overrides map[string]string, srcs ...policy.OverrideSource) (*Registry, error) {
	rewrites, err := handover.RegistryOverridesRules(overrides, "--registry-overrides")
	if err != nil {
		return nil, err
	}
	flag := sources.Static("--registry-overrides", policy.Policy{Rules: rewrites})
	c, err := mirrorchain.Open(ctx, mirrorchain.Config{Base: base, Sources: append(slices.Clip(srcs), flag)})
	if err != nil {
		return nil, err
	}
	return &Registry{Client: c, overrides: maps.Clone(overrides)}, nil
}

// Reconcile reads the policies again; c is not used. It returns an error until they have
// been read once. Later the last good ones stay in force where some cannot be read.
func (r *Registry) Reconcile(ctx context.Context, _ client.Client) error {
	if err := r.Resolver().Reload(ctx); r.Resolver().Current() == nil {
		return errors.Join(provider.ErrNoRules, err)
	}
	return nil
}

// GetReleaseProvider returns r.
func (r *Registry) GetReleaseProvider() ProviderWithOpenShiftImageRegistryOverrides { return r }

// GetMetadataProvider returns the provider of images, by the same policies.
func (r *Registry) GetMetadataProvider() ImageMetadataProvider { return metadata{r} }

// GetRegistryOverrides returns what New was given.
func (r *Registry) GetRegistryOverrides() map[string]string { return maps.Clone(r.overrides) }

// GetOpenShiftImageRegistryOverrides returns the mirrors in force; nil for none, and until
// the policies have been read.
func (r *Registry) GetOpenShiftImageRegistryOverrides() map[string][]string {
	return handover.ImageOverrides(cmp.Or(r.Resolver().Current(), new(policy.Rules)))
}

// GetMirroredReleaseImage returns "". Which mirror served is a fact of one lookup, and is in
// [ReleaseImage].PulledFrom; HyperShift then goes on with the reference that it has.
func (r *Registry) GetMirroredReleaseImage() string { return "" }

// Lookup looks up the release image, at the mirrors that the policies name for it. The
// ImageStream is the caller's own.
func (r *Registry) Lookup(ctx context.Context, image string, pullSecret []byte) (*ReleaseImage, error) {
	req, err := r.request(image, pullSecret)
	if err != nil {
		return nil, err
	}
	release, err := r.Releases().Lookup(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("failed to get release image %s: %w", image, err)
	}
	stream := release.Remember(underRules(req.Rules.Version()), func() any { return streamOf(release) }).(*imagev1.ImageStream)
	return &ReleaseImage{ImageStream: own(stream), PulledFrom: release.PulledFrom().String(), release: release}, nil
}

// underRules is the key of an ImageStream: the version of the rules that made it.
type underRules string

// streamOf returns the ImageStream that lookups under the same rules copy.
func streamOf(release *provider.Release) *imagev1.ImageStream {
	s := &imagev1.ImageStream{
		TypeMeta:   metav1.TypeMeta{Kind: "ImageStream", APIVersion: imagev1.GroupVersion.String()},
		ObjectMeta: metav1.ObjectMeta{Name: release.Version(), CreationTimestamp: metav1.NewTime(release.Created())},
	}
	for c := range release.Components() {
		from := &corev1.ObjectReference{Kind: "DockerImage", Name: c.Image.String()}
		s.Spec.Tags = append(s.Spec.Tags, imagev1.TagReference{Name: c.Name, Annotations: c.Annotations, From: from})
	}
	return s
}

// own returns a copy, as DeepCopy does with more allocations.
func own(shared *imagev1.ImageStream) *imagev1.ImageStream {
	s := *shared
	s.Spec.Tags = slices.Clone(s.Spec.Tags)
	from := make([]corev1.ObjectReference, len(s.Spec.Tags))
	for i := range from {
		tag := &s.Spec.Tags[i]
		from[i] = *tag.From
		tag.From, tag.Annotations = &from[i], maps.Clone(tag.Annotations)
	}
	return &s
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
func (i *ReleaseImage) CanonicalComponentImages() map[string]string {
	images := make(map[string]string, len(i.Spec.Tags))
	for c := range i.release.Components() {
		images[c.Name] = c.Canonical.String()
	}
	return images
}

// ComponentVersions returns the versions that the components state, and that of the release.
func (i *ReleaseImage) ComponentVersions() (map[string]string, error) {
	versions := i.release.ComponentVersions()
	versions["release"] = i.release.Version()
	return versions, nil
}

// StreamForName returns the boot images of a stream; "" is the default one. All lookups
// share them, as they do in HyperShift: do not modify them.
func (i *ReleaseImage) StreamForName(name string) (*stream.Stream, error) {
	images, err := bootimages.Of(i.release)
	if err != nil {
		return nil, fmt.Errorf("boot images of %s: %w", i.release.Image(), err)
	}
	return images.For(name)
}

// request pins the rules, so that what is remembered is under those of the lookup.
func (r *Registry) request(image string, pullSecret []byte) (provider.Request, error) {
	ref, err := imageref.Parse(image)
	if err != nil {
		return provider.Request{}, fmt.Errorf("failed to parse image reference %q: %w", image, err)
	}
	req := provider.Request{Image: ref, Rules: r.Resolver().Current()}
	if req.Rules == nil {
		err = fmt.Errorf("failed to look up %s: %w", image, provider.ErrNoRules)
	}
	if len(pullSecret) == 0 || err != nil {
		return req, err
	}
	last := r.secret.Load()
	if last == nil || !bytes.Equal(last.text, pullSecret) {
		last = &parsedSecret{text: bytes.Clone(pullSecret)}
		if last.credentials, err = provider.ParseCredentials(pullSecret); err != nil {
			return req, fmt.Errorf("failed to parse docker credentials: %w", err)
		}
		r.secret.Store(last)
	}
	req.Credentials = last.credentials
	return req, nil
}

// parsedSecret is the pull secret that was used last: parsing costs more than a lookup
// that is cached.
type parsedSecret struct {
	text        []byte
	credentials provider.Credentials
}

// Package reader is the source of the mirror policies that a program reads with a client
// of its own: any client.Reader of controller-runtime, such as the cached one of a manager.
//
// It is a package of its own, because it brings controller-runtime into the program that
// imports it. Package sources/cluster needs no client and watches by itself.
package reader

import (
	"context"
	"errors"
	"fmt"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/cluster"
)

// New returns the source of the ICSP, IDMS and ITMS objects that r lists. It needs list on
// those kinds, and watch too where r has a cache. A kind that the cluster does not have states nothing. A kind that the scheme
// of r does not have is a [*sources.SpecError]. Insecure and blocked registries are not
// read: see package sources/imageconfig.
//
// The source cannot be watched. A change comes into force when the source is read again:
// by [sources.Resolver.Start] every ResolverConfig.Poll, or by [sources.Resolver.Reload],
// which a controller calls when it reconciles. A reader with a cache answers from memory,
// so reading again costs no request.
//
// A cached reader of a manager blocks until the manager has started. Until then it is a source
// that is away. Read with the manager's API reader where rules are needed before.
func New(r client.Reader) policy.OverrideSource { return source{r} }

const name = "reader"

type source struct{ reader client.Reader }

func (s source) Name() string { return name }

// Load lists the objects. The errors of all kinds that fail are joined.
func (s source) Load(ctx context.Context) (policy.Policy, error) {
	icsp, err := load(ctx, s.reader, "imagecontentsourcepolicies", new(operatorv1alpha1.ImageContentSourcePolicyList),
		func(l *operatorv1alpha1.ImageContentSourcePolicyList) (policy.Policy, error) {
			return cluster.FromICSP(l.Items...)
		})
	idms, err2 := load(ctx, s.reader, "imagedigestmirrorsets", new(configv1.ImageDigestMirrorSetList),
		func(l *configv1.ImageDigestMirrorSetList) (policy.Policy, error) { return cluster.FromIDMS(l.Items...) })
	itms, err3 := load(ctx, s.reader, "imagetagmirrorsets", new(configv1.ImageTagMirrorSetList),
		func(l *configv1.ImageTagMirrorSetList) (policy.Policy, error) { return cluster.FromITMS(l.Items...) })
	if err := errors.Join(err, err2, err3); err != nil {
		return policy.Policy{}, err
	}
	for _, p := range []policy.Policy{idms, itms} { // mirror sets state rules and warnings, and nothing else
		icsp.Rules = append(icsp.Rules, p.Rules...)
		icsp.Skipped = append(icsp.Skipped, p.Skipped...)
		icsp.Warnings = append(icsp.Warnings, p.Warnings...)
	}
	return icsp, nil
}

func load[L client.ObjectList](ctx context.Context, r client.Reader, resource string, list L, convert func(L) (policy.Policy, error)) (policy.Policy, error) {
	err := r.List(ctx, list)
	switch {
	case err == nil:
		return convert(list)
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return policy.Policy{}, nil
	case runtime.IsNotRegisteredError(err):
		return policy.Policy{}, &sources.SpecError{Spec: name, Err: fmt.Errorf("listing %s: the client's scheme does not have them; add config/v1 and operator/v1alpha1 of github.com/openshift/api: %w", resource, err)}
	}
	return policy.Policy{}, fmt.Errorf("listing %s: %w", resource, err)
}

package hypershift

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/reader"
)

// managementCluster is the client of a cluster. It has the kinds whose lists are not nil.
type managementCluster struct {
	client.Reader
	icsp []operatorv1alpha1.ImageContentSourcePolicy
	idms []configv1.ImageDigestMirrorSet
	err  error // of every list
}

func (c *managementCluster) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if c.err != nil {
		return c.err
	}
	switch l := list.(type) {
	case *operatorv1alpha1.ImageContentSourcePolicyList:
		if l.Items = c.icsp; c.icsp != nil {
			return nil
		}
	case *configv1.ImageDigestMirrorSetList:
		if l.Items = c.idms; c.idms != nil {
			return nil
		}
	}
	return &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: fmt.Sprintf("%T", list)}}
}

// changingCluster is a managementCluster that changes while it is read: a resolver retries
// what failed on its own.
type changingCluster struct {
	client.Reader
	state atomic.Pointer[managementCluster]
}

func (c *changingCluster) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.state.Load().List(ctx, list, opts...)
}

func icsp(name string, mirrors ...operatorv1alpha1.RepositoryDigestMirrors) operatorv1alpha1.ImageContentSourcePolicy {
	return operatorv1alpha1.ImageContentSourcePolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: operatorv1alpha1.ImageContentSourcePolicySpec{RepositoryDigestMirrors: mirrors},
	}
}

func idms(name string, mirrors ...configv1.ImageDigestMirrors) configv1.ImageDigestMirrorSet {
	return configv1.ImageDigestMirrorSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: configv1.ImageDigestMirrorSetSpec{ImageDigestMirrors: mirrors}}
}

type (
	icspMirrors = operatorv1alpha1.RepositoryDigestMirrors
	idmsMirrors = configv1.ImageDigestMirrors
)

// The rows of HyperShift's imagecontentsource_test.go, read through a client. Both kinds are
// merged as nodes merge them: each object's order holds, no mirror is there twice, and names
// decide where no object does. HyperShift lists what it finds, ICSPs from the last name to
// the first.
func TestImageContentSources(t *testing.T) {
	_, _, base := start(t)
	icsps := []operatorv1alpha1.ImageContentSourcePolicy{
		icsp("icsp-2", icspMirrors{Source: "registry1", Mirrors: []string{"icsp-2/mirror1", "icsp-2/mirror2"}}),
		icsp("icsp-1",
			icspMirrors{Source: "registry1", Mirrors: []string{"icsp-1/mirror1", "icsp-1/mirror2"}},
			icspMirrors{Source: "registry2", Mirrors: []string{"mirror1", "mirror2"}},
			icspMirrors{Source: "registry3.io/ns/image@sha256:123456", Mirrors: []string{"icsp3.io/ns/image@sha256:123456"}}),
	}
	idmss := []configv1.ImageDigestMirrorSet{idms("idms",
		idmsMirrors{Source: "registry4.io/ns", Mirrors: []configv1.ImageMirror{"mirror4.io/ns", "mirror4.io/ns"}},
		idmsMirrors{Source: "registry3.io/ns/image@sha256:123456", Mirrors: []configv1.ImageMirror{"idms3.io/ns/image@sha256:123456"}})}
	fromICSP := map[string][]string{
		"registry1": {"icsp-1/mirror1", "icsp-2/mirror1", "icsp-1/mirror2", "icsp-2/mirror2"}, "registry2": {"mirror1", "mirror2"},
		"registry3.io/ns/image@sha256:123456": {"icsp3.io/ns/image@sha256:123456"},
	}
	fromIDMS := map[string][]string{"registry4.io/ns": {"mirror4.io/ns"}, "registry3.io/ns/image@sha256:123456": {"idms3.io/ns/image@sha256:123456"}}
	both := maps.Clone(fromICSP)
	maps.Copy(both, fromIDMS)
	both["registry3.io/ns/image@sha256:123456"] = []string{"icsp3.io/ns/image@sha256:123456", "idms3.io/ns/image@sha256:123456"}
	overrides := map[string]string{"registry1": "override1", "registry2": "override2"}
	for name, c := range map[string]struct {
		cluster managementCluster
		want    map[string][]string
	}{
		"only ICSP":     {managementCluster{icsp: icsps}, fromICSP},
		"only IDMS":     {managementCluster{idms: idmss}, fromIDMS},
		"both":          {managementCluster{icsp: icsps, idms: idmss}, both},
		"no objects":    {managementCluster{icsp: icsps[:0], idms: idmss[:0]}, nil},
		"neither kind":  {managementCluster{}, nil},
		"other objects": {managementCluster{icsp: []operatorv1alpha1.ImageContentSourcePolicy{icsp("empty")}, idms: idmss}, fromIDMS},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, base, overrides, reader.New(&c.cluster))
			if got := r.GetReleaseProvider().GetOpenShiftImageRegistryOverrides(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("mirrors %v, want %v", got, c.want)
			}
			if got := r.GetRegistryOverrides(); !maps.Equal(got, overrides) {
				t.Errorf("--registry-overrides is %v, want %v", got, overrides)
			}
		})
	}
}

// An entry without a source or with an empty mirror: HyperShift skips it, and a node refuses
// the configuration that it is in. So does the adapter, and it names the entry.
func TestWrongPolicies(t *testing.T) {
	_, _, base := start(t)
	for want, c := range map[string]managementCluster{
		`imagecontentsourcepolicy/one#1: the entry has no source`:        {icsp: []operatorv1alpha1.ImageContentSourcePolicy{icsp("one", icspMirrors{Mirrors: []string{"m.io"}})}},
		`imagecontentsourcepolicy/one#1: mirror 2 of source "a.io"`:      {icsp: []operatorv1alpha1.ImageContentSourcePolicy{icsp("one", icspMirrors{Source: "a.io", Mirrors: []string{"m.io", ""}})}},
		`imagedigestmirrorset/two#2: mirror 1 of source "b.io" is empty`: {idms: []configv1.ImageDigestMirrorSet{idms("two", idmsMirrors{Source: "a.io"}, idmsMirrors{Source: "b.io", Mirrors: []configv1.ImageMirror{""}})}},
	} {
		if _, err := New(t.Context(), base, nil, reader.New(&c)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// The rows of HyperShift's management_cluster_capabilities_test.go, as far as they are about
// mirror policies. HyperShift asks once at its start for some fourteen API groups, and any
// error of one of them ends it. The adapter lists the kinds that it needs, and again at every
// Reconcile: one that is installed later is noticed, and what was read stays in force.
func TestCapabilities(t *testing.T) {
	_, _, base := start(t)
	away := &managementCluster{err: errors.New("ups")}
	withIDMS := &managementCluster{idms: []configv1.ImageDigestMirrorSet{idms("one", idmsMirrors{Source: "a.io", Mirrors: []configv1.ImageMirror{"m.io"}})}}
	var c changingCluster
	c.state.Store(away)
	r := open(t, base, nil, reader.New(&c))
	wantMirrors := func(when string, want map[string][]string) {
		t.Helper()
		if got := r.GetOpenShiftImageRegistryOverrides(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: mirrors %v, want %v", when, got, want)
		}
	}
	reconciles := func(when string) {
		t.Helper()
		if err := r.Reconcile(t.Context(), nil); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	if err := r.Reconcile(t.Context(), nil); !errors.Is(err, provider.ErrNoRules) || !strings.Contains(err.Error(), "listing imagedigestmirrorsets: ups") {
		t.Errorf("before anything could be listed: %v", err)
	}
	c.state.Store(&managementCluster{})
	reconciles("neither kind")
	wantMirrors("neither kind", nil)
	c.state.Store(withIDMS)
	want := map[string][]string{"a.io": {"m.io"}}
	reconciles("IDMS is installed")
	wantMirrors("IDMS is installed", want)
	c.state.Store(away)
	reconciles("the API server is away")
	wantMirrors("the API server is away", want)
	c.state.Store(&managementCluster{})
	reconciles("IDMS is taken away")
	wantMirrors("IDMS is taken away", nil)
}

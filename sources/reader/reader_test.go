package reader_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/reader"
)

const crds = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_"

// What the objects of a real cluster say is in force after each reading: with kinds that
// are not there, that come later, and that go.
func TestReader(t *testing.T) {
	c := cluster.Start(t)
	idms := cluster.OpenShiftCRD(t, crds+"imagedigestmirrorsets.crd.yaml")
	c.Install(t, idms)
	scheme := runtime.NewScheme()
	if err := errors.Join(configv1.Install(scheme), operatorv1alpha1.Install(scheme)); err != nil {
		t.Fatal(err)
	}
	k8s, err := client.New(c.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, reader.New(k8s))
	if err != nil {
		t.Fatal(err)
	}
	await := func(image, want string) {
		t.Helper()
		ref := imageref.MustParse(image)
		cluster.Await(t, image+" at "+want, func(ctx context.Context) error {
			if err := r.Reload(ctx); err != nil {
				return err
			}
			if got := endpoints(r.Current(), ref); got != want {
				return errors.New("it is at " + got)
			}
			return nil
		})
	}
	digest := "quay.io/acme/x@sha256:" + strings.Repeat("0", 64)
	await(digest, "quay.io")

	set := &configv1.ImageDigestMirrorSet{ObjectMeta: metav1.ObjectMeta{Name: "mine"}, Spec: configv1.ImageDigestMirrorSetSpec{
		ImageDigestMirrors: []configv1.ImageDigestMirrors{{Source: "quay.io/acme", Mirrors: []configv1.ImageMirror{"one.example.com/acme"}}},
	}}
	must(t, k8s.Create(t.Context(), set))
	await(digest, "one.example.com quay.io")
	set.Spec.ImageDigestMirrors[0].Mirrors[0] = "two.example.com/acme"
	must(t, k8s.Update(t.Context(), set))
	await(digest, "two.example.com quay.io")

	c.Install(t, cluster.OpenShiftCRD(t, crds+"imagetagmirrorsets.crd.yaml"))
	must(t, k8s.Create(t.Context(), &configv1.ImageTagMirrorSet{ObjectMeta: metav1.ObjectMeta{Name: "mine"}, Spec: configv1.ImageTagMirrorSetSpec{
		ImageTagMirrors: []configv1.ImageTagMirrors{{Source: "quay.io/acme", Mirrors: []configv1.ImageMirror{"tags.example.com/acme"}}},
	}}))
	await("quay.io/acme/x:1", "tags.example.com quay.io")
	await(digest, "two.example.com quay.io")

	before := r.Current()
	c.StopAPI(t)
	if err := r.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "source reader: listing image") || r.Current() != before {
		t.Errorf("the API server is away: %v, other rules %t", err, r.Current() != before)
	}
	c.StartAPI(t)
	must(t, k8s.Delete(t.Context(), set))
	await(digest, "quay.io")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func endpoints(rules *policy.Rules, ref imageref.Ref) string {
	candidates, err := rules.Candidates(ref)
	if err != nil {
		return err.Error()
	}
	var hosts []string
	for _, candidate := range candidates {
		hosts = append(hosts, candidate.Ref.Registry())
	}
	return strings.Join(hosts, " ")
}

// lists is a reader whose scheme has nothing.
type lists struct{ client.Reader }

func (lists) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	_, _, err := runtime.NewScheme().ObjectKinds(list)
	return err
}

// A scheme without the kinds does not mend itself, so the resolver does not start.
func TestSchemeLacksKinds(t *testing.T) {
	_, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, reader.New(lists{}))
	if _, ok := errors.AsType[*sources.SpecError](err); !ok || !strings.Contains(err.Error(), "the client's scheme does not have them") {
		t.Errorf("NewResolver: %v", err)
	}
}

package knownissues

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/idms"
)

// kind is one of the kinds of policy.
type kind struct {
	crd, name, field string
	resource         schema.GroupVersionResource
}

var (
	kindICSP = kind{
		"operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml",
		"ImageContentSourcePolicy", "repositoryDigestMirrors",
		schema.GroupVersionResource{Group: "operator.openshift.io", Version: "v1alpha1", Resource: "imagecontentsourcepolicies"},
	}
	kindIDMS = kind{
		"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml",
		"ImageDigestMirrorSet", "imageDigestMirrors",
		schema.GroupVersionResource{Group: "config.openshift.io", Version: "v1", Resource: "imagedigestmirrorsets"},
	}
	kindITMS = kind{
		"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagetagmirrorsets.crd.yaml",
		"ImageTagMirrorSet", "imageTagMirrors",
		schema.GroupVersionResource{Group: "config.openshift.io", Version: "v1", Resource: "imagetagmirrorsets"},
	}
)

// create creates a policy of entries that are source=mirror,mirror.
func (k kind) create(t *testing.T, c *cluster.Cluster, name string, entries ...string) {
	t.Helper()
	var list []any
	for _, e := range entries {
		source, mirrors, _ := strings.Cut(e, "=")
		var to []any
		for m := range strings.SplitSeq(mirrors, ",") {
			to = append(to, m)
		}
		list = append(list, map[string]any{"source": source, "mirrors": to})
	}
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": k.resource.GroupVersion().String(), "kind": k.name,
		"metadata": map[string]any{"name": name}, "spec": map[string]any{k.field: list},
	}}
	if _, err := c.Dynamic(t).Resource(k.resource).Create(t.Context(), obj, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// policies returns the rules of c's policies, read as the hypershift-operator reads them
// and before any manager or cache of it exists. They are not followed.
func policies(t *testing.T, c *cluster.Cluster) *policy.Rules {
	t.Helper()
	row := assembly.HypershiftOperator(assembly.Deps{Cluster: idms.Config{REST: c.Config(), AbsentPoll: 50 * time.Millisecond}})
	srcs, err := row.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, srcs...)
	if err != nil {
		t.Fatal(err)
	}
	rules := r.Current()
	if rules == nil {
		t.Fatalf("there are no rules: %+v", r.Status())
	}
	return rules
}

// overrides returns the value of OPENSHIFT_IMG_OVERRIDES that a control plane gets.
func overrides(t *testing.T, rules *policy.Rules) string {
	t.Helper()
	b, err := handover.NewBundle(rules)
	if err != nil {
		t.Fatal(err)
	}
	value, err := b.ImageOverrides()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// OCPBUGS-29466 and 11939. ICSP was ignored as soon as there was any IDMS. Here the
// control plane gets the union of both kinds, read from an API server; of a source
// that both have, the mirrors in the order that nodes would try them (as
// runtime-utils sorts them: the order of each list, and else of their names).
func TestOCPBUGS29466ICSPAndIDMSTogether(t *testing.T) {
	c := cluster.Start(t)
	c.Install(t, cluster.OpenShiftCRD(t, kindICSP.crd), cluster.OpenShiftCRD(t, kindIDMS.crd))
	kindICSP.create(t, c, "old", "quay.io/only/icsp=z.example.com/icsp,a.example.com/icsp", "quay.io/both=m.example.com/b,z.example.com/b")
	kindIDMS.create(t, c, "new", "quay.io/only/idms=z.example.com/idms", "quay.io/both=z.example.com/b,c.example.com/b", "quay.io/apart=n.example.com")
	kindICSP.create(t, c, "more", "quay.io/apart=b.example.com")
	want := strings.Join([]string{
		"quay.io/apart=b.example.com", "quay.io/apart=n.example.com",
		"quay.io/both=m.example.com/b", "quay.io/both=z.example.com/b", "quay.io/both=c.example.com/b",
		"quay.io/only/icsp=z.example.com/icsp", "quay.io/only/icsp=a.example.com/icsp",
		"quay.io/only/idms=z.example.com/idms",
	}, ",")
	if got := overrides(t, policies(t, c)); got != want {
		t.Errorf("overrides\n%s, want\n%s", got, want)
	}
}

// OCPBUGS-53259. Providers were made anew in each reconciliation; made once, at the
// start, they could not read: "the cache is not started, can not read objects". Here
// policies are read with a client of their own before any manager exists, and by that
// a release can be looked up at once.
func TestOCPBUGS53259ReadBeforeTheManagerStarts(t *testing.T) {
	c := cluster.Start(t)
	c.Install(t, cluster.OpenShiftCRD(t, kindIDMS.crd))
	w := newWorld(t)
	digest := w.serve(t, "mirror.example.com", testregistry.Auth{}).Push("ocp", "", testpayload.Must(release(5).Image()))
	kindIDMS.create(t, c, "releases", source+"=mirror.example.com/ocp")
	r := mustLookup(t, operatorChain(t, w.registry, policies(t, c)), byDigest(source, digest))
	if got, want := r.PulledFrom().Name(), "mirror.example.com/ocp"; got != want {
		t.Errorf("from %s, want %s", got, want)
	}
}

// Issues 5608, 5169, 6551, 7566 and D14. Mirrors for tags were not read at all. Here
// ITMS is a source like the others: it serves tags and no digests, and the control
// plane gets both, in the environment and in the document that tells them apart.
func TestIssue5608ImageTagMirrorSets(t *testing.T) {
	c := cluster.Start(t)
	c.Install(t, cluster.OpenShiftCRD(t, kindIDMS.crd), cluster.OpenShiftCRD(t, kindITMS.crd))
	w := newWorld(t)
	payload := testpayload.Must(release(5).Image())
	digest := w.serve(t, "digests.example.com", testregistry.Auth{}).Push("ocp", "", payload)
	w.serve(t, "tags.example.com", testregistry.Auth{}).Push("ocp", "4.17.3", payload)
	kindIDMS.create(t, c, "digests", source+"=digests.example.com/ocp")
	kindITMS.create(t, c, "tags", source+"=tags.example.com/ocp")
	rules := policies(t, c)
	received, err := policy.NewRules(policy.RulesConfig{}, decodeOf(t, rules))
	if err != nil {
		t.Fatal(err)
	}
	for name, rules := range map[string]*policy.Rules{"read": rules, "handed on": received} {
		ch := operatorChain(t, w.registry, rules)
		for image, want := range map[string]string{source + "@" + digest: "digests.example.com/ocp", source + ":4.17.3": "tags.example.com/ocp"} {
			if got := tried(mustLookup(t, ch, provider.Request{Image: imageref.MustParse(image)})); got != want {
				t.Errorf("%s: for %s tried %s, want %s", name, image, got, want)
			}
		}
		// As the operators read them, digest mirrors serve tags as well, in one order.
		follows := operator.TagsFollow(func() *policy.Rules { return rules })()
		if got, want := candidates(t, follows, source+":4.17.3"), "digests.example.com/ocp tags.example.com/ocp "+source; got != want {
			t.Errorf("%s: the operators' candidates are %s, want %s", name, got, want)
		}
	}
	if got, want := overrides(t, rules), fmt.Sprintf("%[1]s=digests.example.com/ocp,%[1]s=tags.example.com/ocp", source); got != want {
		t.Errorf("overrides %s, want %s", got, want)
	}
}

func decodeOf(t *testing.T, rules *policy.Rules) policy.Policy {
	t.Helper()
	b, err := handover.NewBundle(rules)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, b)
}

// D33, D34. A kind that was not there at the start was never noticed, and one whose
// definition went away failed every reconciliation. Here rules follow both, without a
// restart.
func TestD33KindsComeAndGo(t *testing.T) {
	c := cluster.Start(t)
	row := assembly.HypershiftOperator(assembly.Deps{Cluster: idms.Config{REST: c.Config(), AbsentPoll: 50 * time.Millisecond}})
	srcs, err := row.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := sources.NewResolver(ctx, sources.ResolverConfig{}, srcs...)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	await := func(what, want string) {
		t.Helper()
		cluster.Await(t, what, func(context.Context) error {
			rules := r.Current()
			if rules == nil {
				return provider.ErrNoRules
			}
			if got := overrides(t, rules); got != want {
				return fmt.Errorf("overrides are %s, want %s; the status is %+v", got, want, r.Status())
			}
			return nil
		})
	}
	await("rules without any kind", "=")
	for _, k := range []kind{kindITMS, kindICSP, kindIDMS} {
		crd := cluster.OpenShiftCRD(t, k.crd)
		c.Install(t, crd)
		k.create(t, c, "late", "quay.io/a=mirror.example.com/a")
		await(k.name+" installed", "quay.io/a=mirror.example.com/a")
		c.Uninstall(t, crd)
		await(k.name+" removed", "=")
	}
}

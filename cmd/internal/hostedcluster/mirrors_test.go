package hostedcluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/mirrorchoice"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// dials counts connections by address.
type dials struct {
	mu sync.Mutex
	to map[string]int
}

func (d *dials) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	if d.to == nil {
		d.to = map[string]int{}
	}
	d.to[address]++
	d.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, address)
}

// only fails the test unless connections were opened to that address, and to no other.
func (d *dials) only(t *testing.T, address string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.to) != 1 || d.to[address] == 0 {
		t.Errorf("connections were opened to %v, want to %s alone", d.to, address)
	}
}

// forbidSource starts a registry that the policies never contact, and returns the repository that
// the mirror's "mirror/release" stands for.
func (w *world) forbidSource(t *testing.T) (from string) {
	t.Helper()
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	origin, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(origin.Close)
	from = origin.Host() + "/ocp/release"
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	entry := policy.Object["spec"].(map[string]any)["imageDigestMirrors"].([]any)[0].(map[string]any)
	entry["source"], entry["mirrorSourcePolicy"] = from, "NeverContactSource"
	w.create(t, policy)
	return from
}

// chooses sets the annotation of a HostedCluster; "" removes it.
func (w *world) chooses(t *testing.T, hc *hyperv1.HostedCluster, mode string) {
	t.Helper()
	change(t, w, hc, func(hc *hyperv1.HostedCluster) {
		if hc.Annotations == nil {
			hc.Annotations = map[string]string{}
		}
		if hc.Annotations[mirrorchoice.Mirrors] = mode; mode == "" {
			delete(hc.Annotations, mirrorchoice.Mirrors)
		}
	})
}

// Of two HostedClusters one ignores the management cluster's mirrors. Each has the rules that
// it asks for, a change is one roll-out with one write of each object that says so, and
// what the policies never contact gets not one packet from either (hypershift#6205, R12).
func TestManagementMirrors(t *testing.T) {
	w := newWorld(t)
	from, at := w.forbidSource(t), func(repository string) string { return w.mirror.Host() + "/" + repository }
	release := testpayload.Must(testpayload.Release{Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image())
	digest := w.mirror.Push("own/release", "4.17.3", release)
	hosted := func(name string) *hyperv1.HostedCluster {
		hc := w.hostedCluster(name)
		hc.Spec.Release.Image = from + "@" + digest
		return hc
	}
	one, two := hosted("one"), hosted("two")
	two.Annotations = map[string]string{mirrorchoice.Mirrors: "ignore"}
	two.Spec.ImageContentSources = []hyperv1.ImageContentSource{hostedSource(from, at("own/release")), hostedSource("other.example.com", from)}
	w.create(t, w.pullSecret(w.auth(password)), one, two)
	var connections dials
	w.operate(t, func(o *Options) { o.OptOut, o.Registry.Dial = OptOutAllowed, connections.dial })

	management, own := from+"="+at("mirror/release"), from+"="+at("own/release")
	w.cpo(t, one, overridesAre(management))
	d := w.cpo(t, two, overridesAre(own))
	if doc := envOf(d, "MIRRORCHAIN_OVERRIDES"); !strings.Contains(doc, `"blocked":true`) || strings.Contains(doc, "mirror/release") {
		t.Errorf("two is handed %s", doc)
	}
	w.says(t, two, hypershift.ManagementMirrorsChosen, metav1.ConditionFalse, hypershift.EntriesSkippedReason,
		"Ignored are the policies for "+from+". Of what the policies block, all stays blocked: "+from+". Left out are spec.imageContentSources[1]")
	w.saysNothing(t, one, hypershift.ManagementMirrorsChosen)
	for _, hc := range []*hyperv1.HostedCluster{one, two} {
		w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, "", "")
		w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	}

	for _, tt := range []struct {
		mode, overrides string
		status          metav1.ConditionStatus
		says            string
	}{
		{"prefer-hosted", own + "," + management, metav1.ConditionFalse, "are used before those"},
		{"never", management, metav1.ConditionFalse, `"never" is none of use, ignore and prefer-hosted. The mirrors of the management cluster are used`},
		{"ignore", own, metav1.ConditionFalse, "are not used"},
		{"", management, "", ""},
	} {
		before := w.versions(t, two)
		d := w.cpo(t, two, anything)
		w.chooses(t, two, tt.mode)
		after := w.cpo(t, two, overridesAre(tt.overrides))
		if tt.mode == "" {
			w.saysNothing(t, two, hypershift.ManagementMirrorsChosen)
		} else {
			w.says(t, two, hypershift.ManagementMirrorsChosen, tt.status, "", tt.says)
		}
		w.awaitChoice(t, two, tt.mode)
		now := w.versions(t, two)
		var changed []string
		for kind, version := range now {
			if version != before[kind] {
				changed = append(changed, kind)
			}
		}
		if slices.Sort(changed); !slices.Equal(changed, []string{"Deployment", "HostedControlPlane"}) || after.Generation != d.Generation+1 {
			t.Errorf("%q: written were %v, and the Deployment went from generation %d to %d", tt.mode, changed, d.Generation, after.Generation)
		}
	}
	connections.only(t, w.mirror.Main().Addr())
	if d := w.cpo(t, one, overridesAre(management)); d.Generation != 1 {
		t.Errorf("the Deployment of the other cluster has generation %d", d.Generation)
	}
}

// awaitChoice waits until the control plane knows the annotation.
func (w *world) awaitChoice(t *testing.T, hc *hyperv1.HostedCluster, mode string) {
	t.Helper()
	cluster.Await(t, "the annotation", func(ctx context.Context) error {
		hcp := &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hc.Name}}
		if err := w.Get(ctx, keyOf(hcp), hcp); err != nil {
			return err
		}
		if got := hcp.Annotations[mirrorchoice.Mirrors]; got != mode {
			return fmt.Errorf("it is %q, want %q", got, mode)
		}
		return nil
	})
}

func hostedSource(source string, mirrors ...string) (s hyperv1.ImageContentSource) {
	s.Source, s.Mirrors = source, mirrors
	return s
}

// Unless the operator allows it no HostedCluster chooses. A tenant that ignores the mirrors of
// what is never contacted gets the release from nowhere.
func TestOptOutDenied(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	hc := w.hostedCluster("one")
	hc.Annotations = map[string]string{mirrorchoice.Mirrors: "ignore"}
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), hc)
	stop := w.operate(t, nil)
	w.cpo(t, hc, overridesAre(source+"="+w.mirror.Host()+"/mirror/release"))
	w.says(t, hc, hypershift.ManagementMirrorsChosen, metav1.ConditionFalse, hypershift.OptOutDeniedReason, "--management-mirrors-opt-out")
	stop()

	w.operate(t, func(o *Options) { o.OptOut = OptOutAllowed })
	w.cpo(t, hc, overridesAre("="))
	change(t, w, w.idms("releases"), func(p *unstructured.Unstructured) {
		entry := p.Object["spec"].(map[string]any)["imageDigestMirrors"].([]any)[0].(map[string]any)
		entry["mirrorSourcePolicy"] = "NeverContactSource"
	})
	w.cpo(t, hc, func(d *appsv1.Deployment) error {
		if doc := envOf(d, "MIRRORCHAIN_OVERRIDES"); !strings.Contains(doc, `"blocked":true`) {
			return fmt.Errorf("handed is %s", doc)
		}
		return overridesAre("=")(d)
	})
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionFalse, "", "blocked")
}

// HostedClusters without a choice share one view, and those with the same choice another.
func TestViewsAreShared(t *testing.T) {
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{mirrorRule("idms/x#1", "quay.io/x", "mirror.example.com/x")}})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Settings: Settings{OptOut: OptOutAllowed}}
	hc := func(annotations map[string]string, sources ...hyperv1.ImageContentSource) *hyperv1.HostedCluster {
		out := new(hyperv1.HostedCluster)
		out.Annotations, out.Spec.ImageContentSources = maps.Clone(annotations), sources
		return out
	}
	ignore := map[string]string{mirrorchoice.Mirrors: "ignore"}
	plain := r.viewOf(hc(nil), rules)
	if got := r.viewOf(hc(map[string]string{mirrorchoice.Mirrors: "use"}, hostedSource("a.com", "b.com")), rules); got != plain || got.of != rules || got.lookups != nil {
		t.Error("the default is not shared")
	}
	if n := testing.AllocsPerRun(100, func() { r.viewOf(hc(nil), rules) }); n > 1 { // the HostedCluster
		t.Errorf("%v allocations for the default", n)
	}
	one := r.viewOf(hc(ignore, hostedSource("a.com", "b.com")), rules)
	if got := r.viewOf(hc(ignore, hostedSource("a.com", "b.com")), rules); got != one || got.of == rules {
		t.Error("equal choices do not share rules")
	}
	if got := r.viewOf(hc(ignore, hostedSource("a.com", "c.com")), rules); got == one {
		t.Error("different choices share rules")
	}
}

package hostedcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// handOverKnown hands rules to a control plane whose operator's image is known, so
// that no lookup has to go well for it. It returns what that takes, and whether
// anything of it was not there yet. The image is known from the Deployment where that
// was made for the same release and the same --registry-overrides. Where it is not,
// nothing is written.
func (r *Reconciler) handOverKnown(ctx context.Context, hc *hyperv1.HostedCluster, o *outcome, rules *encodedRules) (objects []client.Object, changed bool, err error) {
	live := new(appsv1.Deployment)
	err = r.Client.Get(ctx, client.ObjectKey{Namespace: ControlPlaneNamespace(hc), Name: cpoName}, live)
	if err != nil {
		return nil, false, client.IgnoreNotFound(err)
	}
	scc, err := r.HasSCC()
	if err != nil {
		return nil, false, fmt.Errorf("asking for SecurityContextConstraints: %w", err)
	}
	w := &workload{Settings: r.Settings, hc: hc, image: r.namedImage(hc), scc: scc}
	if w.image == "" {
		w.image = imageOf(live, hc)
	}
	if w.image == "" {
		return nil, false, nil
	}
	objects, err = w.handOver(rules)
	o.set(w.handedOver(err))
	if err != nil {
		return nil, false, nil // the condition says so; nothing of this mends itself
	}
	if overrides, err := rules.flag(); err != nil || overrides != argOf(live, flagRegistryOverrides) {
		return nil, false, nil // these change the image, too
	}
	changed, err = r.applyAll(ctx, objects)
	return objects, changed, err
}

// imageOf is the image of the control-plane-operator in d, "" unless d was made for
// the release of hc's control plane.
func imageOf(d *appsv1.Deployment, hc *hyperv1.HostedCluster) string {
	c, ok := containerOf(d)
	if !ok || !slices.Contains(c.Env, corev1.EnvVar{Name: envRelease, Value: controlPlaneRelease(hc)}) {
		return ""
	}
	return c.Image
}

// argOf is the value of a flag in d, "" if it is not there.
func argOf(d *appsv1.Deployment, flag string) string {
	c, _ := containerOf(d)
	for _, arg := range c.Args {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			return value
		}
	}
	return ""
}

func containerOf(d *appsv1.Deployment) (corev1.Container, bool) {
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == cpoName {
			return c, true
		}
	}
	return corev1.Container{}, false
}

// handOver is what carries rules: the Deployment, and before it the ConfigMap where
// that has the document. Nothing is returned with an error: a Deployment without the
// rules would contact what they forbid.
func (w *workload) handOver(rules *encodedRules) ([]client.Object, error) {
	if rules.err != nil {
		return nil, rules.err
	}
	w.rules = rules
	deployment, err := w.deployment()
	if err != nil {
		return nil, err
	}
	if w.Handover != HandoverConfigMap {
		return []client.Object{deployment}, nil
	}
	data, err := rules.ConfigMapData()
	if err != nil {
		return nil, err
	}
	return []client.Object{configMap(w.hc, handover.ConfigMap, data), deployment}, nil
}

// encodedRules are what is handed on of one set of rules, encoded once for all HostedClusters:
// with ten thousand mirrors that takes longer than all the rest.
type encodedRules struct {
	handover.Bundle
	of   *provider.Rules
	err  error                               // of making it
	vars func() ([]handover.EnvVar, error)   // Bundle.Env
	flag func() (registry string, err error) // Bundle.RegistryOverrides
}

func encode(rules *provider.Rules) *encodedRules {
	b, err := handover.NewBundle(rules)
	return &encodedRules{Bundle: b, of: rules, err: err, vars: sync.OnceValues(b.Env), flag: sync.OnceValues(b.RegistryOverrides)}
}

// encodedOnce is encode, which is remembered for the rules last asked for.
func (r *Reconciler) encodedOnce(rules *provider.Rules) *encodedRules {
	if e := r.encoded.Load(); e != nil && e.of == rules {
		return e
	}
	e := encode(rules)
	r.encoded.Store(e)
	return e
}

// firsts remembers for which rules something was handed to a HostedCluster ahead of
// the rest of its reconciliation. Its zero value is ready, and safe for concurrent use.
type firsts struct {
	mu  sync.Mutex
	who map[client.ObjectKey]string // version of rules
}

// is reports whether this is the first time for key and the rules of that version.
func (f *firsts) is(key client.ObjectKey, version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.who[key] == version {
		return false
	}
	if f.who == nil {
		f.who = map[client.ObjectKey]string{}
	}
	f.who[key] = version
	return true
}

// forget forgets a HostedCluster that is gone.
func (f *firsts) forget(key client.ObjectKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.who, key)
}

package hostedcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// handOverKnown hands rules to a control plane whose operator's image is known, so
// that no lookup has to go well for it, and returns what it wrote. The image is known
// from the Deployment where that was made for the same release and the same
// --registry-overrides. Where it is not, nothing is written.
func (r *Reconciler) handOverKnown(ctx context.Context, hc *hyperv1.HostedCluster, o *outcome, rules *provider.Rules) ([]client.Object, error) {
	live := new(appsv1.Deployment)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: ControlPlaneNamespace(hc), Name: cpoName}, live)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	scc, err := r.HasSCC()
	if err != nil {
		return nil, fmt.Errorf("asking for SecurityContextConstraints: %w", err)
	}
	w := &workload{Settings: r.Settings, hc: hc, image: r.namedImage(hc), scc: scc}
	if w.image == "" {
		w.image = imageOf(live, hc)
	}
	if w.image == "" {
		return nil, nil
	}
	objects, err := w.handOver(rules)
	o.set(handedOver(r.Handover, err))
	if err != nil {
		return nil, nil // the condition says so; nothing of this mends itself
	}
	if overrides, err := w.rules.RegistryOverrides(); err != nil || overrides != argOf(live, flagRegistryOverrides) {
		return nil, nil // these change the image, too
	}
	return objects, r.applyAll(ctx, objects)
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
func (w *workload) handOver(rules *provider.Rules) ([]client.Object, error) {
	var err error
	if w.rules, err = handover.NewBundle(rules); err != nil {
		return nil, err
	}
	deployment, err := w.deployment()
	if err != nil {
		return nil, err
	}
	if w.Handover != HandoverConfigMap {
		return []client.Object{deployment}, nil
	}
	data, err := w.rules.ConfigMapData()
	if err != nil {
		return nil, err
	}
	return []client.Object{configMap(w.hc, handover.ConfigMap, data), deployment}, nil
}

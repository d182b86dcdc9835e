package hostedcluster

import (
	"context"
	"slices"
	"strings"
	"sync"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// handed is what came of handing rules to a control plane that is there.
type handed struct {
	written    []client.Object    // what carries the rules now, where that was written
	conditions []metav1.Condition // that tell of it
	done       bool               // the control plane has the rules
}

// handOverKnown hands rules to a control plane that is there, whatever else hc has come
// to ask for: its release and its image stay those of the Deployment, so that no lookup
// has to go well first, and what no lookup has found good is not rolled out. Where the
// Deployment has the rules it is left as it is: that is for whoever writes the whole. It
// is a conflict where the Deployment is not as the cache has it.
//
// Other --registry-overrides than the Deployment has change the image as well, which
// takes a lookup: unless anyhow, nothing is written then.
func (r *Reconciler) handOverKnown(ctx context.Context, hc *hyperv1.HostedCluster, rules *encodedRules, anyhow bool) (handed, error) {
	live := new(appsv1.Deployment)
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hypershift.ControlPlaneOperator}, live)
	if err != nil {
		return handed{}, client.IgnoreNotFound(err)
	}
	in, ok := inputsIn(live)
	if !ok || !isOf(live, hc) || !live.DeletionTimestamp.IsZero() {
		return handed{}, nil
	}
	w := &workload{Settings: r.Settings, inputs: in, hc: hc}
	objects, unfit := w.handOver(rules)
	reported := []metav1.Condition{w.handedOver(unfit)}
	if unfit != nil {
		return handed{conditions: reported}, nil // nothing of this mends itself
	}
	deployment := objects[len(objects)-1].(*appsv1.Deployment)
	has, gets := rulesIn(live), rulesIn(deployment)
	flag := func(arg string) bool { return strings.HasPrefix(arg, flagRegistryOverrides) }
	switch {
	case slices.Equal(has, gets):
		err = r.applyAll(ctx, objects[:len(objects)-1])
		return handed{conditions: reported, done: true}, err
	case slices.IndexFunc(has, flag) < 0 || !slices.Contains(gets, has[slices.IndexFunc(has, flag)]):
		if !anyhow {
			return handed{}, nil
		}
	}
	deployment.SetResourceVersion(live.ResourceVersion) // in, and nothing newer
	err = r.applyAll(ctx, objects)
	deployment.SetResourceVersion("")
	return handed{objects, reported, true}, err
}

// handOver returns what carries rules: the Deployment, and before it the ConfigMap where
// that has the document. With an error it returns nothing: a Deployment without the rules
// would contact what they forbid.
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
	of   *policy.Rules
	err  error                               // of making it
	vars func() ([]handover.EnvVar, error)   // Bundle.Env
	flag func() (registry string, err error) // Bundle.RegistryOverrides
}

// encode encodes rules for all HostedClusters.
func encode(rules *policy.Rules) *encodedRules {
	b, err := handover.NewBundle(rules)
	return &encodedRules{Bundle: b, of: rules, err: err, vars: sync.OnceValues(b.Env), flag: sync.OnceValues(b.RegistryOverrides)}
}

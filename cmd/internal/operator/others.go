package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// read reads an object into obj, from the cache or else from the API server, and reports
// whether it is there.
func (a *Applier) read(ctx context.Context, key client.ObjectKey, obj client.Object) (exists bool, err error) {
	err = a.Client.Get(ctx, key, obj)
	if apierrors.IsNotFound(err) && a.Live != nil {
		err = a.Live.Get(ctx, key, obj)
	}
	return err == nil, client.IgnoreNotFound(err)
}

// keepPullSecrets adds to want the pull secrets that a ServiceAccount has: OpenShift adds
// one to each ("NAME-dockercfg-..."), and a list that is applied replaces the whole.
func keepPullSecrets(live client.Object, want *unstructured.Unstructured) {
	account, ok := live.(*corev1.ServiceAccount)
	if !ok {
		return
	}
	ours, _, _ := unstructured.NestedSlice(want.Object, "imagePullSecrets")
	var all []any
	for _, ref := range account.ImagePullSecrets {
		all = append(all, map[string]any{"name": ref.Name})
	}
	for _, ref := range ours {
		if !slices.ContainsFunc(all, func(have any) bool { return contains(have, ref, false) }) {
			all = append(all, ref)
		}
	}
	if len(all) > 0 {
		_ = unstructured.SetNestedSlice(want.Object, all, "imagePullSecrets") // fails for no map
	}
}

// hypershiftManagers are the owners of fields that HyperShift's operators write
// (hypershift-operator/main.go, control-plane-operator/main.go: UserAgent).
var hypershiftManagers = sets.New("hypershift-operator-manager", "hypershift-controlplane-manager")

// takeOver makes what HyperShift wrote of a Deployment ours, so that the next apply
// removes what it does not name: containers and volumes of HyperShift's own. live then
// has the version that was written. It does nothing where HyperShift did not write last.
func (a *Applier) takeOver(ctx context.Context, live client.Object) error {
	if _, ok := live.(*appsv1.Deployment); !ok || strings.HasPrefix(stateHash(live), stamped) {
		return nil
	}
	if err := a.own(ctx, live, hypershiftManagers); err != nil {
		return fmt.Errorf("taking it over from HyperShift: %w", err)
	}
	return nil
}

// IsHyperShifts reports whether a field at the top of obj, such as "rules", is HyperShift's: no
// [Applier] ever applied obj, or HyperShift has written the field since. obj has to be from no
// cache, which may leave out who manages what.
func IsHyperShifts(obj client.Object, field string) bool {
	if !strings.HasPrefix(stateHash(obj), stamped) {
		return true
	}
	return slices.ContainsFunc(obj.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		var fields map[string]json.RawMessage
		if !hypershiftManagers.Has(m.Manager) || m.FieldsV1 == nil || json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
			return false
		}
		_, ok := fields["f:"+field]
		return ok
	})
}

// keyed are the lists of a pod that are merged by a key of their items, and the key.
var keyed = map[string]string{
	"containers": "name", "initContainers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath", "ports": "containerPort",
}

// contains reports whether have says all that want says. Maps may say more. Lists must
// agree in length and order, but for those of a pod that are merged by a key, which may
// have more items: inPod says that want is in a pod's template.
func contains(have, want any, inPod bool) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		if !ok {
			return false
		}
		for name, v := range want {
			h, ok := have[name]
			switch key := keyed[name]; {
			case !ok && v != nil:
				return false
			case inPod && key != "":
				if !containsItems(h, v, key) {
					return false
				}
			case !contains(h, v, inPod || name == "template"):
				return false
			}
		}
		return true
	case []any:
		have, ok := have.([]any)
		if !ok || len(have) != len(want) {
			return false
		}
		for i, v := range want {
			if !contains(have[i], v, inPod) {
				return false
			}
		}
		return true
	}
	return have == want
}

// containsItems reports whether the list have has each item of want, by key.
func containsItems(have, want any, key string) bool {
	has, _ := have.([]any)
	wants, ok := want.([]any)
	if !ok {
		return want == nil
	}
	for _, w := range wants {
		item, ok := w.(map[string]any)
		if !ok {
			return false
		}
		same := sameItems(has, item, key)
		if len(same) != 1 || !contains(has[same[0]], item, true) { // of two variables of a name the last one counts
			return false
		}
	}
	return true
}

// sameItems returns which items of a list have the key of item. There may be more than one:
// only an apply keeps keys apart. Ports of one number are apart by their protocol.
func sameItems(have []any, item any, key string) (same []int) {
	want, _ := item.(map[string]any)
	for i, h := range have {
		m, ok := h.(map[string]any)
		if ok && m[key] == want[key] && (key != "containerPort" || m["protocol"] == want["protocol"]) {
			same = append(same, i)
		}
	}
	return same
}

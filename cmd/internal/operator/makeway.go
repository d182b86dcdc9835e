package operator

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fixed are fields of the kinds that are applied which never change. An object in which somebody
// else has set another value can only be made anew.
var fixed = map[string][]string{
	"Deployment":  {"spec", "selector"},
	"RoleBinding": {"roleRef"},
	"Secret":      {"type"},
}

// makeWay sends want, which the API server refuses for what others have made of live: a value
// beside a reference, a second handler of a probe, a limit below what is asked for. It first
// removes what they added, all but their metadata, or deletes an object that can never become
// want. Where want is invalid by itself it does nothing, and returns refusal.
func (a *Applier) makeWay(ctx context.Context, live client.Object, want *unstructured.Unstructured, refusal error) error {
	alone := want.DeepCopy()
	alone.SetName(want.GetName() + "-check")
	alone.SetResourceVersion(neverVersion)
	if err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(alone), client.FieldOwner(a.Owner), client.ForceOwnership, client.DryRunAll); err != nil {
		return refusal
	}
	have, err := state(live)
	if err != nil {
		return err
	}
	if isStuck(have, want) {
		version := client.Preconditions{UID: new(live.GetUID()), ResourceVersion: new(live.GetResourceVersion())}
		if err := a.Client.Delete(ctx, live, version); client.IgnoreNotFound(err) != nil {
			return err
		}
		want.SetResourceVersion(neverVersion)
		return a.send(ctx, want)
	}
	if err := a.own(ctx, live, nil); err != nil {
		return err
	}
	want.SetUID(live.GetUID())
	want.SetResourceVersion(live.GetResourceVersion())
	return a.send(ctx, want)
}

// isStuck reports whether have, which is not want, can never become it.
func isStuck(have, want *unstructured.Unstructured) bool {
	if immutable, _, _ := unstructured.NestedBool(have.Object, "immutable"); immutable { // of Secrets and ConfigMaps
		return true
	}
	path := fixed[want.GetKind()]
	if path == nil {
		return false
	}
	is, _, _ := unstructured.NestedFieldNoCopy(have.Object, path...)
	wants, named, _ := unstructured.NestedFieldNoCopy(want.Object, path...)
	return named && !reflect.DeepEqual(is, wants)
}

// own makes what managers wrote of live ours, so that the next apply removes what it does not
// name. live then has the version that was written. Nil is all managers, of whom their metadata
// is left alone; nobody's status and other subresources are taken. It is a conflict where live was
// written since it was read.
func (a *Applier) own(ctx context.Context, live client.Object, managers sets.Set[string]) error {
	var from client.Reader = a.Client
	if a.Live != nil {
		from = a.Live
	}
	whole := live.DeepCopyObject().(client.Object) // a cache may leave out who manages what
	if err := from.Get(ctx, client.ObjectKeyFromObject(live), whole); err != nil {
		return err
	}
	if whole.GetResourceVersion() != live.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{Resource: "objects"}, live.GetName(), errors.New("it was written meanwhile"))
	}
	fields, took, err := ownedFields(whole.GetManagedFields(), a.Owner, managers)
	if err != nil || !took {
		return err
	}
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	patch, err := rawPatch([]operation{
		{"replace", "/metadata/managedFields", fields},
		{"replace", "/metadata/resourceVersion", whole.GetResourceVersion()}, // or it is a conflict
	})
	if err != nil {
		return err
	}
	if err := a.Client.Patch(ctx, whole, patch); err != nil {
		return err
	}
	live.SetResourceVersion(whole.GetResourceVersion())
	return nil
}

// ownedFields returns all as they are when owner has taken over; see own. took reports whether
// there was anything to take.
func ownedFields(all []metav1.ManagedFieldsEntry, owner string, managers sets.Set[string]) (out []metav1.ManagedFieldsEntry, took bool, err error) {
	const metadata = "f:metadata"
	owned := map[string]any{}
	ours := metav1.ManagedFieldsEntry{Manager: owner, Operation: metav1.ManagedFieldsOperationApply, FieldsType: "FieldsV1"}
	for _, e := range all {
		own := e.Manager == owner && e.Operation == metav1.ManagedFieldsOperationApply
		if e.Subresource != "" || e.FieldsV1 == nil || !own && managers != nil && !managers.Has(e.Manager) {
			out = append(out, e)
			continue
		}
		ours.APIVersion = e.APIVersion // there is one of each kind
		var fields map[string]any
		if err := json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields); err != nil {
			return nil, false, err
		}
		if theirs, ok := fields[metadata]; ok && !own && managers == nil {
			raw, err := json.Marshal(map[string]any{metadata: theirs})
			if err != nil {
				return nil, false, err
			}
			delete(fields, metadata)
			e.FieldsV1 = metav1.NewFieldsV1(string(raw))
			out = append(out, e)
		}
		took = took || !own && len(fields) > 0
		union(owned, fields)
	}
	raw, err := json.Marshal(owned)
	ours.FieldsV1 = metav1.NewFieldsV1(string(raw))
	return append(out, ours), took, err
}

// union adds the fields of from, a trie, to those of to.
func union(to, from map[string]any) {
	for name, below := range from {
		was, isTrie := to[name].(map[string]any)
		if more, ok := below.(map[string]any); ok && isTrie {
			union(was, more)
		} else {
			to[name] = below
		}
	}
}

package operator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// StateHash is the annotation that says what an object was last made from. The name
// is HyperShift's (support/upsert/apply.go).
const StateHash = "hypershift.openshift.io/desired-state-hash"

// stamped begins our values of [StateHash], so that HyperShift's are told apart.
const stamped = "mirrorchain-"

// neverVersion is a resource version that no object has: etcd's first write is of
// revision 2. The API server creates what is applied with it, and it is a conflict where
// the object is there by then.
const neverVersion = "1"

// Applier writes objects by server-side apply, as one field owner, and only when
// they differ from what is there. It is safe for concurrent use.
type Applier struct {
	// Client reads and writes. Reading may be from a cache: one that is behind costs a
	// request that changes nothing. Objects read from a cache must be watched by whoever
	// applies them, so that what others change comes back.
	Client client.Client
	// Live reads from the API server what the cache of Client does not have: it may be
	// limited to objects of the owner, and another's may have the name. Nil: the cache has
	// everything.
	Live client.Reader
	// Owner is the field owner, the operator's name. Fields that somebody else owns
	// are taken over where desired states name them, and left alone where not.
	Owner string
	// Settled remembers what webhooks make of what is applied. Nil: it is applied again at
	// each occasion.
	Settled *Settled
}

// Apply makes the object in the cluster what desired says: the whole of what this
// owner wants of it, so that fields it named before and does not name now are removed.
// changed reports whether the object was created or modified.
//
// No request to write is made where the object was last made from the same state
// ([StateHash]) and still has it. Where the two are not surely the same the API server
// decides: applying what is there already changes nothing and costs no new version.
//
// It is a conflict when the object is created, written or deleted by somebody else between
// the reading and the writing, however late the write arrives; where desired has a resource
// version, since that one. Nothing that a replica wrote later is ever replaced.
//
// What others add stays: items of lists that are merged by a key (containers, variables,
// volumes), pull secrets of a ServiceAccount, labels and annotations. Of a Deployment that
// HyperShift wrote last, what HyperShift added is removed; and where the API server refuses
// desired beside what others added and not without it, all that they added is, but for
// metadata. An object that cannot become what desired says, because it is immutable or another
// one of its name was made, is deleted and made anew.
//
// desired is not modified. Its status and creationTimestamp are not applied.
func (a *Applier) Apply(ctx context.Context, desired client.Object) (changed bool, err error) {
	fail := func(err error) (bool, error) { return false, a.failed("applying", desired, err) }
	want, err := a.wanted(desired)
	if err != nil {
		return fail(err)
	}
	gvk := want.GroupVersionKind()
	there, err := a.Client.Scheme().New(gvk)
	if err != nil {
		return fail(err)
	}
	live := there.(client.Object)
	exists, err := a.read(ctx, client.ObjectKeyFromObject(desired), live)
	if err != nil {
		return fail(err)
	}
	if exists {
		keepPullSecrets(live, want)
		if done, err := a.isDone(live, want); err != nil {
			return fail(err)
		} else if done {
			return false, nil
		}
		if err := a.takeOver(ctx, live); err != nil {
			return fail(err)
		}
	}
	wish := want.DeepCopy()
	want.SetResourceVersion(cmp.Or(desired.GetResourceVersion(), live.GetResourceVersion(), neverVersion))
	want.SetUID(live.GetUID()) // or what was deleted meanwhile would be created again
	if err = a.send(ctx, want); apierrors.IsInvalid(err) && live.GetUID() != "" {
		want = wish.DeepCopy()
		err = a.makeWay(ctx, live, want, err)
	}
	if err != nil {
		return fail(err)
	}
	a.Settled.applied(wish, want)
	return want.GetResourceVersion() != live.GetResourceVersion(), nil
}

// isDone reports whether live is as want says, or as webhooks make it of want.
func (a *Applier) isDone(live client.Object, want *unstructured.Unstructured) (bool, error) {
	isMade := stateHash(live) == stateHash(want)
	if !isMade && !a.Settled.has(want) {
		return false, nil // most of what is written: new rules for each control plane
	}
	have, err := state(live)
	if err != nil {
		return false, err
	}
	have.SetGroupVersionKind(want.GroupVersionKind()) // which a client may leave out
	if isMade && contains(have.Object, want.Object, false) {
		a.Settled.made(want)
		return true, nil
	}
	return a.Settled.is(have, want)
}

// Create creates the object as Apply does, with nothing read before. It is a conflict where
// it is there. desired is not modified.
func (a *Applier) Create(ctx context.Context, desired client.Object) error {
	want, err := a.wanted(desired)
	if err == nil {
		want.SetResourceVersion(neverVersion)
		err = a.send(ctx, want)
	}
	if err != nil {
		return a.failed("creating", desired, err)
	}
	return nil
}

func (a *Applier) failed(doing string, obj client.Object, err error) error {
	kind := fmt.Sprintf("%T", obj)
	if gvk, unknown := apiutil.GVKForObject(obj, a.Client.Scheme()); unknown == nil {
		kind = gvk.Kind
	}
	return fmt.Errorf("%s %s %s: %w", doing, kind, client.ObjectKeyFromObject(obj), err)
}

func (a *Applier) send(ctx context.Context, want *unstructured.Unstructured) error {
	return a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(want), client.FieldOwner(a.Owner), client.ForceOwnership)
}

// wanted returns desired as what can be applied, with its hash, and of no version.
func (a *Applier) wanted(desired client.Object) (*unstructured.Unstructured, error) {
	gvk, err := apiutil.GVKForObject(desired, a.Client.Scheme())
	if err != nil {
		return nil, err
	}
	want, err := state(desired)
	if err != nil {
		return nil, err
	}
	want.SetGroupVersionKind(gvk)
	want.SetResourceVersion("") // says nothing of the object
	return want, stamp(want)
}

// state returns obj as what can be applied.
func state(obj client.Object) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	delete(fields, "status")
	u := &unstructured.Unstructured{Object: fields}
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	u.SetManagedFields(nil)
	return u, nil
}

func stateHash(obj client.Object) string { return obj.GetAnnotations()[StateHash] }

// stamp writes a hash of u into its annotation [StateHash].
func stamp(u *unstructured.Unstructured) error {
	data, err := json.Marshal(u.Object) // keys of maps are sorted
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[StateHash] = stamped + hex.EncodeToString(sum[:16])
	u.SetAnnotations(annotations)
	return nil
}

package operator

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/openapi"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// DryRun notes what an operator would write, as the API server answers to each write with
// dryRun=All. Nothing is written. Its zero value is ready, for one manager. It is safe for
// concurrent use.
type DryRun struct {
	mu      sync.Mutex
	objects map[objectID]*rewritten

	types func() (managedfields.TypeConverter, error)
}

// objectID is one object.
type objectID struct {
	kind schema.GroupVersionKind
	key  client.ObjectKey
}

// rewritten is an object before and after what would be written.
type rewritten struct {
	before, after *unstructured.Unstructured // nil: it is not there
	status        *unstructured.Unstructured // after a write of the status, nil if there is none
	unchecked     bool                       // the API server was not asked
}

// wrap returns c so that it writes nothing and d notes what it would write. schemas says what the
// types of the API server are.
func (d *DryRun) wrap(c client.Client, schemas openapi.Client) client.Client {
	d.objects = map[objectID]*rewritten{}
	d.types = sync.OnceValues(func() (managedfields.TypeConverter, error) { return openapi.NewTypeConverter(schemas, false) })
	return dryRunClient{Client: client.NewDryRunClient(c), run: d}
}

// dryRunClient notes the writes that operators make: Apply, Patch, Delete, and patches of the
// status. Any other is a dry run, too, and an error, because nobody would be told.
type dryRunClient struct {
	client.Client
	run *DryRun
}

func (c dryRunClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	var o client.ApplyOptions
	o.ApplyOptions(opts)
	if len(o.DryRun) > 0 { // it would not be written anyway
		return c.Client.Apply(ctx, obj, opts...)
	}
	applied, ok := obj.(client.Object)
	if !ok {
		return fmt.Errorf("a dry run of applying a %T is not supported", obj)
	}
	want := &unstructured.Unstructured{}
	var err error
	if want.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(applied); err != nil {
		return err
	}
	id := objectID{want.GroupVersionKind(), client.ObjectKeyFromObject(want)}
	before, err := c.read(ctx, id)
	if err != nil {
		return err
	}
	if c.run.deleted(id) {
		c.run.note(id, before, want, true)
		return nil
	}
	if was := c.run.patched(id); was != nil {
		// The API server knows nothing of the patch, so what comes of both is merged here.
		after, err := c.merge(ctx, was, want, opts...)
		if err == nil {
			c.run.note(id, before, after, false)
		}
		return err
	}
	err = c.Client.Apply(ctx, obj, opts...)
	if before == nil && apierrors.IsNotFound(err) && c.run.creates(want.GetNamespace()) {
		c.run.note(id, nil, want, true)
		return nil
	}
	if err != nil {
		return err
	}
	after := &unstructured.Unstructured{}
	if after.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(applied); err != nil {
		return err
	}
	c.run.note(id, before, after, false)
	return nil
}

// merge returns what is there after want is applied to was, as the API server answers to it.
func (c dryRunClient) merge(ctx context.Context, was, want *unstructured.Unstructured, opts ...client.ApplyOption) (*unstructured.Unstructured, error) {
	var o client.ApplyOptions
	o.ApplyOptions(opts)
	types, err := c.run.types()
	if err != nil {
		return nil, fmt.Errorf("reading the types of the API server: %w", err)
	}
	gvk := want.GroupVersionKind()
	fields, err := managedfields.NewDefaultFieldManager(types, c.Scheme(), c.Scheme(), c.Scheme(), gvk, gvk.GroupVersion(), "", nil)
	if err != nil {
		return nil, err
	}
	merged, err := fields.Apply(was.DeepCopy(), want, o.FieldManager, true)
	if err != nil {
		return nil, err
	}
	to, err := runtime.DefaultUnstructuredConverter.ToUnstructured(merged)
	if err != nil {
		return nil, err
	}
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	m := unstructured.Unstructured{Object: to}
	ops := []operation{
		{"add", "/metadata/resourceVersion", want.GetResourceVersion()},
		{"add", "/metadata/labels", m.GetLabels()}, {"add", "/metadata/annotations", m.GetAnnotations()},
	}
	for name, value := range to {
		switch name {
		case "apiVersion", "kind", "metadata", "status":
		default:
			ops = append(ops, operation{"add", "/" + name, value})
		}
	}
	patch, err := rawPatch(ops)
	if err != nil {
		return nil, err
	}
	after := named(objectID{gvk, client.ObjectKeyFromObject(want)})
	return after, c.Client.Patch(ctx, after, patch, client.FieldOwner(o.FieldManager))
}

func (c dryRunClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	return c.patch(ctx, obj, patch, false, func(u *unstructured.Unstructured, raw client.Patch) error {
		return c.Client.Patch(ctx, u, raw, opts...)
	})
}

// patch notes a patch of obj, which do sends, and gives obj the answer.
func (c dryRunClient) patch(ctx context.Context, obj client.Object, patch client.Patch, status bool, do func(*unstructured.Unstructured, client.Patch) error) error {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	id := objectID{gvk, client.ObjectKeyFromObject(obj)}
	before, err := c.read(ctx, id)
	if err != nil {
		return err
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	after := named(id) // not obj: that may lack fields that the cluster has
	if err := do(after, client.RawPatch(patch.Type(), data)); err != nil {
		return err
	}
	if before == nil {
		return fmt.Errorf("%s %s was created meanwhile", gvk.Kind, id.key)
	}
	if status {
		c.run.noteStatus(id, before, after)
	} else {
		c.run.note(id, before, after, false)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(after.Object, obj)
}

func (c dryRunClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return err
	}
	id := objectID{gvk, client.ObjectKeyFromObject(obj)}
	before, err := c.read(ctx, id)
	if err != nil {
		return err
	}
	if err := c.Client.Delete(ctx, obj, opts...); err != nil {
		return err
	}
	c.run.note(id, before, nil, false)
	return nil
}

func (c dryRunClient) Create(context.Context, client.Object, ...client.CreateOption) error {
	return errUntold
}

func (c dryRunClient) Update(context.Context, client.Object, ...client.UpdateOption) error {
	return errUntold
}

func (c dryRunClient) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return errUntold
}

// errUntold is of a write of a kind that [DryRun] does not note.
var errUntold = errors.New("a dry run cannot tell what this write would change")

func (c dryRunClient) Status() client.SubResourceWriter { return c.SubResource("status") }

func (c dryRunClient) SubResource(name string) client.SubResourceClient {
	return dryRunSubResource{c.Client.SubResource(name), c, name}
}

type dryRunSubResource struct {
	client.SubResourceClient
	of   dryRunClient
	name string
}

func (c dryRunSubResource) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if c.name != "status" {
		return errUntold
	}
	return c.of.patch(ctx, obj, patch, true, func(u *unstructured.Unstructured, raw client.Patch) error {
		return c.SubResourceClient.Patch(ctx, u, raw, opts...)
	})
}

func (c dryRunSubResource) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errUntold
}

func (c dryRunSubResource) Update(context.Context, client.Object, ...client.SubResourceUpdateOption) error {
	return errUntold
}

func (c dryRunSubResource) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return errUntold
}

// read returns an object as it is in the cluster, nil if it is not there. What is unstructured
// is not read from a cache.
func (c dryRunClient) read(ctx context.Context, id objectID) (*unstructured.Unstructured, error) {
	obj := named(id)
	if err := c.Get(ctx, id.key, obj); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return obj, nil
}

func named(id objectID) *unstructured.Unstructured {
	obj := new(unstructured.Unstructured)
	obj.SetGroupVersionKind(id.kind)
	obj.SetNamespace(id.key.Namespace)
	obj.SetName(id.key.Name)
	return obj
}

// note notes that an object would be after in place of before. A later write of it stands for
// the earlier ones.
func (d *DryRun) note(id objectID, before, after *unstructured.Unstructured, unchecked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.of(id, before)
	o.after, o.unchecked = after, unchecked
}

func (d *DryRun) noteStatus(id objectID, before, after *unstructured.Unstructured) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of(id, before).status = after
}

// of returns what is noted of an object, with d.mu held.
func (d *DryRun) of(id objectID, before *unstructured.Unstructured) *rewritten {
	o := d.objects[id]
	if o == nil {
		o = &rewritten{before: before, after: before}
		d.objects[id] = o
	}
	return o
}

// patched returns an object as a patch would leave it, nil where none would change it.
func (d *DryRun) patched(id objectID) *unstructured.Unstructured {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.objects[id]
	if o == nil || o.before == nil || o.after == nil || o.unchecked || equality.Semantic.DeepEqual(o.before.GetManagedFields(), o.after.GetManagedFields()) {
		return nil
	}
	return o.after
}

// deleted reports whether an object would be deleted, so that it can be made anew.
func (d *DryRun) deleted(id objectID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.objects[id]
	return o != nil && o.before != nil && o.after == nil
}

// creates reports whether anything would be created in a namespace, or the namespace itself. What
// refers to that cannot be created now.
func (d *DryRun) creates(namespace string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, o := range d.objects {
		if o.before == nil && o.after != nil && (id.key.Namespace == namespace || id.kind.Kind == "Namespace" && id.key.Name == namespace) {
			return true
		}
	}
	return false
}

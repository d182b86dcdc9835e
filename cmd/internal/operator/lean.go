package operator

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leanClient is a client whose Apply costs the API server less. Of the answer it takes the
// metadata alone.
type leanClient struct {
	client.Client
}

// Apply applies obj, which has then the metadata that came of it. Two things that
// the API server does unasked are left out: it sends nothing but metadata back, and it does
// not parse the request a second time for keys that are there twice, which JSON made from a
// map cannot have. Fields that it does not know are an error all the same. With a dry run,
// where the answer is what is wanted, Apply is that of the client within.
func (c leanClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	o := new(client.ApplyOptions).ApplyOptions(opts)
	u, ok := obj.(interface {
		metav1.Object
		GroupVersionKind() schema.GroupVersionKind
	})
	if !ok || len(o.DryRun) > 0 {
		return c.Client.Apply(ctx, obj, opts...)
	}
	data, err := json.Marshal(obj)
	if err != nil {
		return err
	}
	answer := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: u.GetNamespace(), Name: u.GetName()}}
	answer.SetGroupVersionKind(u.GroupVersionKind())
	options := &client.PatchOptions{Force: o.Force, FieldManager: o.FieldManager, Raw: &metav1.PatchOptions{FieldValidation: metav1.FieldValidationIgnore}}
	if err := c.Client.Patch(ctx, answer, client.RawPatch(types.ApplyPatchType, data), options); err != nil {
		return err
	}
	u.SetResourceVersion(answer.ResourceVersion)
	u.SetGeneration(answer.Generation)
	u.SetLabels(answer.Labels)
	u.SetAnnotations(answer.Annotations)
	u.SetFinalizers(answer.Finalizers)
	u.SetOwnerReferences(answer.OwnerReferences)
	return nil
}

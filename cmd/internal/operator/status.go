package operator

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxMessage is how many bytes of a message the API server takes (metav1.Condition).
const maxMessage = 32768

// SetCondition sets a condition of an object that has this generation and reports
// whether that changed anything. LastTransitionTime moves with the status alone. A
// message that is too long for the API is cut.
func SetCondition(conditions *[]metav1.Condition, generation int64, c metav1.Condition) (changed bool) {
	c.ObservedGeneration = generation
	c.Message = cut(c.Message)
	return meta.SetStatusCondition(conditions, c)
}

// cut is s without what is too much of it.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxMessage {
		return s
	}
	const more = " ..."
	n := maxMessage - len(more)
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + more
}

// PatchStatus writes what change makes of obj's status, if it makes anything of it,
// and reports whether it did. obj has the result; give a copy of what a cache handed
// out. It fails with a conflict where somebody else wrote obj since it was read:
// nothing of theirs is ever overwritten.
func PatchStatus[T client.Object](ctx context.Context, c client.Client, owner string, obj T, change func(T)) (changed bool, err error) {
	before := obj.DeepCopyObject().(T)
	change(obj)
	if equality.Semantic.DeepEqual(before, obj) {
		return false, nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Status().Patch(ctx, obj, patch, client.FieldOwner(owner)); err != nil {
		return false, fmt.Errorf("writing the status of %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	return true, nil
}

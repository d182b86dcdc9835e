package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxMessage is how many bytes of a message the API server takes (metav1.Condition).
const maxMessage = 32768

// SetCondition sets a condition of an object that has this generation and reports
// whether that changed anything. LastTransitionTime moves with the status alone. A
// message that is too long for the API is cut, and of one of a failure is left out what
// differs each time although the failure is the same; see [steady].
func SetCondition(conditions *[]metav1.Condition, generation int64, c metav1.Condition) (changed bool) {
	c.ObservedGeneration = generation
	if c.Status != metav1.ConditionTrue {
		c.Message = steady(c.Message)
	}
	c.Message = cut(c.Message)
	return meta.SetStatusCondition(conditions, c)
}

// varying are the parts of a message that differ each time, and what stands for them.
var varying = []struct {
	part *regexp.Regexp
	with string
}{
	// The own end of a connection (package net): "read tcp 10.0.0.1:50984->10.0.0.2:443".
	{regexp.MustCompile(`(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.%\w]+\]):\d+->`), ""},
	// How long a limit was, which follows how fast a host was before.
	{regexp.MustCompile(`\bwithin (?:\d+(?:\.\d+)?(?:ns|µs|ms|s|m|h))+`), "in time"},
	// The time, in errors of crypto/x509.
	{regexp.MustCompile(`\bcurrent time \S+ is\b`), "the current time is"},
	// What a registry calls a request.
	{regexp.MustCompile(`(?i)\b(request|trace|correlation)[ _-]?id["']?\s*[:=]?\s*["']?[\w-]{6,}`), "$1 id left out"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b`), "(an id)"},
}

// steady returns message without what differs each time although the failure is the same:
// the own port of a connection, how long was waited, the time, and names of requests. All
// else stays, names of hosts with digits too.
func steady(message string) string {
	for _, v := range varying {
		message = v.part.ReplaceAllString(message, v.with)
	}
	return message
}

// cut returns s without what is too much of it.
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
// nothing of theirs is ever overwritten. Nor are fields of the status that our types
// do not know.
func PatchStatus[T client.Object](ctx context.Context, c client.Client, owner string, obj T, change func(T)) (changed bool, err error) {
	before := obj.DeepCopyObject().(T)
	change(obj)
	if equality.Semantic.DeepEqual(before, obj) {
		return false, nil
	}
	patch, err := statusPatch(before, obj)
	if err == nil {
		err = c.Status().Patch(ctx, obj, patch, client.FieldOwner(owner))
	}
	if err != nil {
		return false, fmt.Errorf("writing the status of %s: %w", client.ObjectKeyFromObject(obj), err)
	}
	return true, nil
}

// statusPatch returns a patch that makes the status of before that of after, of the same resource version.
// It is a JSON patch (RFC 6902), because a merge patch cannot say null, which a
// history's completionTime has to be as long as an update goes on.
func statusPatch(before, after client.Object) (client.Patch, error) {
	was, err := status(before)
	if err != nil {
		return nil, err
	}
	is, err := status(after)
	if err != nil {
		return nil, err
	}
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	// The API server answers with a conflict where it has another version.
	ops := []operation{{"add", "/metadata/resourceVersion", before.GetResourceVersion()}}
	if isZero(was) {
		ops = append(ops, operation{"add", "/status", is}) // there may be none to add to
		return rawPatch(ops)
	}
	for _, name := range slices.Sorted(maps.Keys(is)) { // fields of API types need no escapes
		if !equality.Semantic.DeepEqual(was[name], is[name]) {
			ops = append(ops, operation{"add", "/status/" + name, is[name]}) // or replace
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, ok := is[name]; !ok {
			ops = append(ops, operation{"remove", "/status/" + name, nil})
		}
	}
	return rawPatch(ops)
}

func rawPatch(operations any) (client.Patch, error) {
	data, err := json.Marshal(operations)
	return client.RawPatch(types.JSONPatchType, data), err
}

// status returns the status of obj, as the API has it.
func status(obj client.Object) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	s, _ := fields["status"].(map[string]any)
	return s, nil
}

// isZero reports whether v says nothing that a type without values would not say.
func isZero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, field := range v {
			if !isZero(field) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return v == nil || v == false || v == "" || v == int64(0) || v == float64(0)
}

package operator

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What a webhook made of an object is right, and what somebody else wrote since is not,
// even where that has no new generation: labels and annotations.
func TestSettled(t *testing.T) {
	object := func(version string, generation int64, label, field string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"field": field}}}
		u.SetAPIVersion("v1")
		u.SetKind("Thing")
		u.SetName("one")
		u.SetLabels(map[string]string{"ours": label})
		u.SetResourceVersion(version)
		u.SetGeneration(generation)
		return u
	}
	wish := func(field string) *unstructured.Unstructured {
		u := object("", 0, "a", field)
		if err := stamp(u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	want := wish("a")
	of := func(u *unstructured.Unstructured, labels map[string]string) *unstructured.Unstructured {
		u.SetLabels(labels)
		return u
	}
	for name, c := range map[string]struct {
		answer *unstructured.Unstructured
		have   []*unstructured.Unstructured // read one after the other
		last   bool                         // the last of them is right
	}{
		"as the webhook left it":            {object("5", 2, "a", "b"), []*unstructured.Unstructured{object("5", 2, "a", "b")}, true},
		"its status was written":            {object("5", 2, "a", "b"), []*unstructured.Unstructured{object("6", 2, "a", "b")}, true},
		"another label was added":           {object("5", 2, "a", "b"), []*unstructured.Unstructured{of(object("6", 2, "", "b"), map[string]string{"ours": "a", "theirs": "x"})}, true},
		"its spec was written":              {object("5", 2, "a", "b"), []*unstructured.Unstructured{object("6", 3, "a", "c")}, false},
		"our label was written":             {object("5", 2, "a", "a"), []*unstructured.Unstructured{object("6", 2, "x", "a")}, false},
		"our label was written later":       {object("5", 2, "a", "b"), []*unstructured.Unstructured{object("5", 2, "a", "b"), object("6", 2, "x", "b")}, false},
		"its spec was written later":        {object("5", 2, "a", "b"), []*unstructured.Unstructured{object("5", 2, "a", "b"), object("6", 3, "a", "c")}, false},
		"nothing of ours was written later": {object("5", 2, "a", "b"), []*unstructured.Unstructured{object("5", 2, "a", "b"), object("7", 4, "a", "b")}, true},
		"a label that a webhook changed":    {object("5", 2, "w", "a"), []*unstructured.Unstructured{object("6", 2, "w", "a")}, true},
		"without generations, as it was":    {object("5", 0, "a", "b"), []*unstructured.Unstructured{object("5", 0, "a", "b")}, true},
		"without generations, written":      {object("5", 0, "a", "b"), []*unstructured.Unstructured{object("6", 0, "a", "b")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSettled()
			s.applied(want, c.answer)
			for i, have := range c.have {
				if got, err := s.is(have, want); err != nil || got != (i < len(c.have)-1 || c.last) {
					t.Errorf("read %d: right is %v, %v", i+1, got, err)
				}
			}
			if got, err := s.is(c.have[0], wish("other")); got || err != nil || s.has(wish("other")) {
				t.Errorf("it is right for another wish: %v, %v", got, err)
			}
		})
	}
	s := NewSettled()
	s.applied(want, object("5", 2, "a", "a"))
	s.made(want)
	if got, err := s.is(object("6", 2, "x", "a"), want); got || err != nil {
		t.Errorf("what was as it should be, and was written since, counts as right: %v, %v", got, err)
	}
	if (*Settled)(nil).has(want) {
		t.Error("nil remembers")
	}
}

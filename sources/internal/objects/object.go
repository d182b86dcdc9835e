package objects

import (
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Object says which object a rule is from.
type Object struct {
	// Where is the place that holds the object, "file:policies.yaml"; empty for an
	// object in a cluster, which its kind and name find.
	Where      string
	Line       int // the object's first line, from 1; 0 where there are no lines
	Kind, Name string
	Meta       *Metadata // nil where nothing is known
}

// Metadata is what an admin writes down about an object beside its name.
type Metadata struct{ Labels, Annotations map[string]string }

// stated returns o as rules and scopes refer to it.
func (o Object) stated() *policy.Object {
	p := &policy.Object{Kind: o.Kind, Name: o.Name}
	if o.Meta != nil {
		p.Labels, p.Annotations = o.Meta.Labels, o.Meta.Annotations
	}
	return p
}

// String returns "file:policies.yaml:3 imagedigestmirrorset/idms-release-0", without
// the parts that are not known.
func (o Object) String() string { return o.at(o.Line, 0) }

// Entry returns the origin of the object's nth entry, counted from 1, on line:
// "file:policies.yaml:14 imagedigestmirrorset/idms-release-0#2".
func (o Object) Entry(line, n int) string { return o.at(line, n) }

func (o Object) at(line, entry int) string {
	var b strings.Builder
	b.WriteString(o.Where)
	if o.Where != "" && line > 0 {
		fmt.Fprintf(&b, ":%d", line)
	}
	if o.Kind != "" {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.ToLower(o.Kind))
		if o.Name != "" {
			b.WriteByte('/')
			b.WriteString(o.Name)
		}
	}
	if entry > 0 {
		fmt.Fprintf(&b, "#%d", entry)
	}
	return b.String()
}

// invalid returns the error for something wrong at origin.
func invalid(origin, format string, args ...any) error {
	return &policy.InvalidPolicyError{Origin: origin, Err: fmt.Errorf(format, args...)}
}

package objects

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/syntax"
)

// The API server judges objects that are applied. Text inside of an object, such as the
// config of a NodePool, is judged by whoever reads that.

// judged reports whether the API server judges o by the definitions of openshift/api.
func (r *reader) judged(o Object) bool {
	_, ofMirrors := mirrorKind(o.Kind)
	return r.depth == 1 && (ofMirrors || o.Kind == imageKind)
}

// refused warns that the API server takes no object like o, for what is wrong on line.
func (r *reader) refused(o Object, line int, format string, args ...any) {
	if !r.judged(o) {
		return
	}
	origin := o.at(line, 0)
	r.out.Warnings = append(r.out.Warnings, policy.Warning{
		Code: policy.WarnObjectRefused, Origins: []string{origin},
		Message: fmt.Sprintf("%s: %s; the API server takes no such object", origin, fmt.Sprintf(format, args...)),
	})
}

// shapeError says that a value is not what the definition of its kind demands: of another type,
// or missing, or no name.
type shapeError struct{ error }

func misshapen(origin, format string, args ...any) error {
	return &policy.InvalidPolicyError{Origin: origin, Err: shapeError{fmt.Errorf(format, args...)}}
}

// refusedToo says of an error about an object that the API server judges whether it has that
// error too. It takes fields that it does not know, and drops them.
func (r *reader) refusedToo(o Object, err error) error {
	for _, err := range each(err) {
		e, invalid := err.(*policy.InvalidPolicyError)
		if _, misshapen := errors.AsType[shapeError](err); invalid && misshapen && r.judged(o) {
			e.RefusedByAPI = true
		}
	}
	return err
}

// spec reads the spec of an object that has to have one.
func (r *reader) spec(o Object, fields []field) ([]field, error) {
	spec := get(fields, "spec")
	if isNull(spec) {
		r.refused(o, o.Line, "it has no spec")
	}
	return r.fields(o, "spec", spec)
}

// Names as k8s.io/apimachinery judges them (pkg/api/validation, pkg/util/validation).
var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	labelPart  = regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`)
)

const maxObjectName, maxLabelPart = 253, 63

func isObjectName(s string) bool { return len(s) <= maxObjectName && objectName.MatchString(s) }
func isLabelPart(s string) bool  { return len(s) <= maxLabelPart && labelPart.MatchString(s) }

// isKey reports whether s can be the key of a label: [PREFIX/]NAME.
func isKey(s string) bool {
	if prefix, name, ok := strings.Cut(s, "/"); ok {
		return isObjectName(prefix) && isLabelPart(name)
	}
	return isLabelPart(s)
}

// checkMetadata warns of metadata that the API server refuses. inside says that o is an item
// of another object, such as a Template, which may put values in.
func (r *reader) checkMetadata(o Object, meta []field, inside bool) {
	generated, err := r.text("", "generateName", get(meta, "generateName"))
	switch {
	case err != nil:
		r.refused(o, o.Line, "metadata.%v", err.(*policy.InvalidPolicyError).Err)
	case o.Name == "" && generated == "":
		r.refused(o, o.Line, "it has no metadata.name")
	}
	for field, name := range map[string]string{"name": o.Name, "generateName": strings.TrimSuffix(generated, "-")} {
		if name != "" && !isObjectName(name) && !(inside && syntax.Template(name) != "") {
			r.refused(o, o.Line, "metadata.%s is no name: want lower case letters, digits, '-' and '.', a letter or a digit at both ends of each part, and %d characters at most", field, maxObjectName)
		}
	}
	for _, name := range []string{"labels", "annotations"} {
		i := slices.IndexFunc(meta, func(f field) bool { return f.name == name })
		if i < 0 || isNull(meta[i].value) {
			continue
		}
		if meta[i].value.Kind != yaml.MappingNode {
			r.refused(o, meta[i].line, "metadata.%s must be a mapping, not %s", name, describe(meta[i].value))
			continue
		}
		pairs, err := r.fields(o, name, meta[i].value)
		if err != nil {
			continue // a key twice, which decides about no image
		}
		for _, f := range pairs {
			r.checkPair(o, name, f)
		}
	}
}

// checkPair judges one label or annotation.
func (r *reader) checkPair(o Object, of string, f field) {
	key := f.name
	if of == "annotations" {
		key = strings.ToLower(key)
	}
	value, err := r.text("", "value", f.value)
	switch {
	case !isKey(key):
		r.refused(o, f.line, "%q is no key of %s: want NAME or DOMAIN/NAME, of letters, digits, '-', '_' and '.'", f.name, of)
	case err != nil:
		r.refused(o, f.line, "the value of %s %s must be a string, not %s", strings.TrimSuffix(of, "s"), f.name, describe(f.value))
	case of == "labels" && value != "" && !isLabelPart(value):
		r.refused(o, f.line, "the value of label %s is none: want letters, digits, '-', '_' and '.', a letter or a digit at both ends, and %d characters at most", f.name, maxLabelPart)
	}
}

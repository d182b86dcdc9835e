// Package jsonschema makes JSON schemas of Go types, and checks JSON against them. It knows
// the part of JSON Schema (draft 2020-12) that plain structs need, and refuses every other
// keyword.
package jsonschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Schema is a schema, or a part of one. The order of its fields is that of its JSON.
type Schema struct {
	Schema      string `json:"$schema,omitempty"`
	ID          string `json:"$id,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Ref         string `json:"$ref,omitempty"`
	// Type is one or several of object, array, string, integer, number, boolean and null.
	Type       Types              `json:"type,omitempty"`
	Format     string             `json:"format,omitempty"`
	Properties map[string]*Schema `json:"properties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	// Additional is what the values of a map are.
	Additional *Schema            `json:"additionalProperties,omitempty"`
	Items      *Schema            `json:"items,omitempty"`
	AnyOf      []*Schema          `json:"anyOf,omitempty"`
	Defs       map[string]*Schema `json:"$defs,omitempty"`
}

// Types are the types that a value may have. One alone is written without a list.
type Types []string

// MarshalJSON implements [json.Marshaler].
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = Types{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// Parse reads a schema. A keyword that this package does not know is an error.
func Parse(text []byte) (*Schema, error) {
	s := new(Schema)
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	return s, d.Decode(s)
}

// Check returns what is wrong with a JSON text, with where it is. It is stricter than the
// schema: a field that the schema does not name is wrong.
func (s *Schema) Check(text []byte) error {
	var v any
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	return s.check(s, "", v)
}

func (s *Schema) check(root *Schema, at string, v any) error {
	if s.Ref != "" {
		def := root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
		if def == nil {
			return fmt.Errorf("%s: no %s", at, s.Ref)
		}
		return def.check(root, at, v)
	}
	if len(s.AnyOf) > 0 {
		var errs []error
		for _, alternative := range s.AnyOf {
			err := alternative.check(root, at, v)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	if got := typeOf(v); !slices.Contains(s.Type, got) && !(got == "integer" && slices.Contains(s.Type, "number")) {
		return fmt.Errorf("%s: %s, want %v", at, got, s.Type)
	}
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if err := s.Items.check(root, fmt.Sprintf("%s.%d", at, i), e); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				return fmt.Errorf("%s: no %q", at, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			of := s.Properties[name]
			if of == nil {
				of = s.Additional
			}
			if of == nil {
				return fmt.Errorf("%s: the schema knows no %q", at, name)
			}
			if err := of.check(root, at+"."+name, v[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case json.Number:
		if _, ok := new(big.Int).SetString(v.String(), 10); ok {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

package jsonschema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Maker makes schemas of Go types. The comments of types and fields become descriptions.
type Maker struct {
	// Module is the path of the module, and Root its folder.
	Module, Root string

	defs map[string]*Schema
	made map[string]reflect.Type      // of defs
	docs map[string]map[string]string // by folder, then TYPE or TYPE.FIELD
}

// Of returns the schema of what encoding/json makes of v.
func (m *Maker) Of(v any) (*Schema, error) {
	m.defs, m.made = make(map[string]*Schema), make(map[string]reflect.Type)
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s, err := m.object(t)
	if err != nil {
		return nil, err
	}
	s.Schema, s.Defs = "https://json-schema.org/draft/2020-12/schema", m.defs
	return s, nil
}

func (m *Maker) of(t reflect.Type) (*Schema, error) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &Schema{Type: Types{"string"}, Format: "date-time"}, nil
	case t != reflect.TypeFor[*time.Time]() && t.Implements(reflect.TypeFor[json.Marshaler]()):
		return nil, fmt.Errorf("%s has a JSON of its own", t)
	case t != reflect.TypeFor[*time.Time]() && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &Schema{Type: Types{"string"}}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return &Schema{Type: Types{"string"}}, nil
	case reflect.Bool:
		return &Schema{Type: Types{"boolean"}}, nil
	case reflect.Int, reflect.Int64, reflect.Int32:
		return &Schema{Type: Types{"integer"}}, nil
	case reflect.Slice:
		items, err := m.of(t.Elem())
		return &Schema{Type: Types{"array"}, Items: items}, err
	case reflect.Map:
		values, err := m.of(t.Elem())
		return &Schema{Type: Types{"object"}, Additional: values}, err
	case reflect.Pointer:
		s, err := m.of(t.Elem())
		if err != nil {
			return nil, err
		}
		if s.Ref != "" {
			return &Schema{AnyOf: []*Schema{s, {Type: Types{"null"}}}}, nil
		}
		s.Type = append(s.Type, "null")
		return s, nil
	case reflect.Struct:
		name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if other := m.made[name]; other != nil && other != t {
			return nil, fmt.Errorf("%s and %s would have one name", t, other)
		}
		if m.made[name] = t; m.defs[name] == nil {
			m.defs[name] = new(Schema) // it may hold itself
			s, err := m.object(t)
			if err != nil {
				return nil, err
			}
			*m.defs[name] = *s
		}
		return &Schema{Ref: "#/$defs/" + name}, nil
	}
	return nil, fmt.Errorf("no schema for %s", t)
}

func (m *Maker) object(t reflect.Type) (*Schema, error) {
	docs, err := m.comments(t)
	if err != nil {
		return nil, err
	}
	s := &Schema{Type: Types{"object"}, Properties: make(map[string]*Schema), Description: docs[t.Name()]}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded, err := m.object(f.Type)
			if err != nil {
				return nil, err
			}
			for name, of := range embedded.Properties {
				s.Properties[name] = of
			}
			s.Required = append(s.Required, embedded.Required...)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			return nil, fmt.Errorf("%s.%s has no name in JSON", t, f.Name)
		}
		of, err := m.of(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, f.Name, err)
		}
		of.Description = docs[t.Name()+"."+f.Name]
		s.Properties[name] = of
		if options == "omitempty" {
			if of.Type = slices.DeleteFunc(of.Type, func(t string) bool { return t == "null" }); len(of.AnyOf) > 0 {
				of.Ref, of.AnyOf = of.AnyOf[0].Ref, nil
			}
			continue
		}
		s.Required = append(s.Required, name)
	}
	slices.Sort(s.Required)
	return s, nil
}

// comments reads those of the package that t is of.
func (m *Maker) comments(t reflect.Type) (map[string]string, error) {
	folder, ok := strings.CutPrefix(t.PkgPath(), m.Module+"/")
	if !ok {
		return nil, fmt.Errorf("%s is not of %s", t, m.Module)
	}
	if docs, ok := m.docs[folder]; ok {
		return docs, nil
	}
	docs := make(map[string]string)
	entries, err := os.ReadDir(filepath.Join(m.Root, folder))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(m.Root, folder, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, spec := range g.Specs {
					note(docs, g, spec.(*ast.TypeSpec))
				}
			}
		}
	}
	if m.docs == nil {
		m.docs = make(map[string]map[string]string)
	}
	m.docs[folder] = docs
	return docs, nil
}

func note(docs map[string]string, g *ast.GenDecl, spec *ast.TypeSpec) {
	doc := spec.Doc
	if doc == nil {
		doc = g.Doc
	}
	docs[spec.Name.Name] = words(doc)
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		text := words(f.Doc)
		if text == "" {
			text = words(f.Comment)
		}
		for _, name := range f.Names {
			docs[spec.Name.Name+"."+name.Name] = text
		}
	}
}

func words(c *ast.CommentGroup) string {
	return strings.Join(strings.Fields(c.Text()), " ")
}

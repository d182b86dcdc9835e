package test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Every package says what it is for, in a sentence that starts the Go way.
func TestPackageDocs(t *testing.T) {
	for _, p := range list(t, "./...") {
		if len(p.GoFiles) == 0 { // tests alone
			continue
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " // or "Command x"
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: the package doc is %q; want it to start with %q", p.rel(), p.Doc, want)
		}
	}
}

// Everything that another module can import and name is documented.
func TestExportedAreDocumented(t *testing.T) {
	for _, p := range list(t, "./...") {
		if p.Name == "main" || strings.Contains("/"+p.rel()+"/", "/internal/") || len(p.GoFiles) == 0 {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		d, err := doc.NewFromFiles(fset, files, p.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		need := func(what, text string) {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s has no comment", p.rel(), what)
			}
		}
		values := func(vs []*doc.Value) {
			for _, v := range vs {
				documented := v.Doc != ""
				for _, s := range v.Decl.Specs {
					if vs, ok := s.(*ast.ValueSpec); ok && (vs.Doc != nil || vs.Comment != nil) {
						documented = true
					}
				}
				if !documented {
					t.Errorf("%s: %v has no comment", p.rel(), v.Names)
				}
			}
		}
		values(d.Consts)
		values(d.Vars)
		for _, f := range d.Funcs {
			need(f.Name, f.Doc)
		}
		for _, ty := range d.Types {
			need(ty.Name, ty.Doc)
			for _, m := range undocumentedMembers(ty.Decl, ty.Doc) {
				t.Errorf("%s: %s has no comment", p.rel(), m)
			}
			values(ty.Consts)
			values(ty.Vars)
			for _, f := range ty.Funcs {
				need(f.Name, f.Doc)
			}
			for _, m := range ty.Methods {
				if !wellKnown[m.Name] {
					need(ty.Name+"."+m.Name, m.Doc)
				}
			}
		}
	}
}

// undocumentedMembers returns the exported fields and interface methods of a type that
// nothing documents. What documents a member is a comment of its own, above or behind
// it; one above the group of fields that it is in; the type's comment, where that names
// it; and the comment of the type that a field has its name from. Of an interface with
// one method the type's comment speaks of that.
func undocumentedMembers(decl *ast.GenDecl, text string) (names []string) {
	for _, spec := range decl.Specs {
		ty, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		var fields *ast.FieldList
		methods := false
		switch x := ty.Type.(type) {
		case *ast.StructType:
			fields = x.Fields
		case *ast.InterfaceType:
			if fields, methods = x.Methods, true; len(fields.List) == 1 {
				continue
			}
		default:
			continue
		}
		var group []*ast.Field // without a gap
		covered := false       // by a comment above or behind one of the group
		flush := func() {
			for _, f := range group {
				for _, n := range f.Names {
					if n.IsExported() && !(methods && wellKnown[n.Name]) && !covered && f.Doc == nil && f.Comment == nil && !mentions(text, n.Name) && !isTypes(f.Type, n.Name) {
						names = append(names, ty.Name.Name+"."+n.Name)
					}
				}
			}
			group, covered = nil, false
		}
		for _, f := range fields.List {
			// The parser leaves gaps out of the tree; doc comments are part of a field.
			if f.Doc != nil {
				flush()
				covered = true
			}
			group = append(group, f)
		}
		flush()
	}
	return names
}

// isTypes reports whether a field has the name of its type, or the plural: then the
// type's comment is the field's.
func isTypes(e ast.Expr, name string) bool {
	switch x := e.(type) {
	case *ast.StarExpr:
		return isTypes(x.X, name)
	case *ast.ArrayType:
		return isTypes(x.Elt, strings.TrimSuffix(name, "s"))
	case *ast.SelectorExpr:
		return x.Sel.Name == name
	case *ast.Ident:
		return x.Name == name
	}
	return false
}

// mentions reports whether a comment has name as a word, in any case: "prefix and
// location" names the fields Prefix and Location.
func mentions(text, name string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, name) })
}

// wellKnown are methods whose meaning the standard library fixes.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "String": true, "GoString": true, "Format": true,
	"MarshalText": true, "UnmarshalText": true, "MarshalJSON": true, "LogValue": true,
	"Len": true, "Less": true, "Swap": true, "Close": true,
}

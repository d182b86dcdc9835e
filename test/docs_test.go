package test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
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

// wellKnown are methods whose meaning the standard library fixes.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "String": true, "GoString": true, "Format": true,
	"MarshalText": true, "UnmarshalText": true, "MarshalJSON": true, "LogValue": true,
	"Len": true, "Less": true, "Swap": true, "Close": true,
}

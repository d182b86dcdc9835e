// Package named finds the tests, benchmarks and subtests that a document names, as
// "package.Test" with a subtest behind a slash, in the source of the project. It is for
// the tests of such documents: what a document names has to exist. It runs nothing.
package named

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Files are what the tests in one folder are called.
type Files struct {
	// Functions are the names of its tests, benchmarks, fuzz tests and examples.
	Functions map[string]bool

	folder string
	texts  map[string]map[string]bool // of literals by function, as names of subtests have them
	calls  map[string]map[string]bool // names that a function mentions, by function
}

var isTest = regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example)([A-Z0-9]|$)`)

// Parse reads the _test.go files of a folder, slash-separated and relative to root. A
// folder without any is an error.
func Parse(root, folder string) (Files, error) {
	f := Files{folder: filepath.Join(root, filepath.FromSlash(folder)), Functions: map[string]bool{}, texts: map[string]map[string]bool{}, calls: map[string]map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(f.folder, "*_test.go"))
	if err != nil {
		return f, err
	}
	if len(files) == 0 {
		return f, fmt.Errorf("there are no tests in %s", folder)
	}
	for _, file := range files {
		if err := f.read(file); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f Files) read(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return err
	}
	for _, d := range parsed.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok { // a table of its own: found by the names of what it declares
			for _, name := range declared(d) {
				f.note(name, d)
			}
			continue
		}
		if fn.Recv == nil && isTest.MatchString(fn.Name.Name) && fn.Name.Name != "TestMain" {
			f.Functions[fn.Name.Name] = true
		}
		f.note(fn.Name.Name, fn)
	}
	return nil
}

// declared returns the names that a declaration of variables and the like makes.
func declared(d ast.Decl) (names []string) {
	gen, ok := d.(*ast.GenDecl)
	if !ok {
		return nil
	}
	for _, spec := range gen.Specs {
		if v, ok := spec.(*ast.ValueSpec); ok {
			for _, n := range v.Names {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

// note keeps what literals and names are in a declaration.
func (f Files) note(name string, in ast.Node) {
	if f.texts[name] == nil {
		f.texts[name], f.calls[name] = map[string]bool{}, map[string]bool{}
	}
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				f.texts[name][strings.ReplaceAll(s, " ", "_")] = true
			}
		case *ast.Ident:
			f.calls[name][n.Name] = true
		}
		return true
	})
}

// HasSubtest reports whether a subtest of the function may have that name: one that is
// spelt out in it, or in what it calls in its package, or that of a script in testdata.
func (f Files) HasSubtest(function, name string) bool {
	if _, err := os.Stat(filepath.Join(f.folder, "testdata", name+".txtar")); err == nil {
		return true
	}
	seen, todo := map[string]bool{}, []string{function}
	for len(todo) > 0 {
		in := todo[0]
		todo = todo[1:]
		if seen[in] {
			continue
		}
		seen[in] = true
		if f.texts[in][name] {
			return true
		}
		for called := range f.calls[in] {
			if !isTest.MatchString(called) { // another test's subtests are not this one's
				todo = append(todo, called)
			}
		}
	}
	return false
}

// Split takes a name of the form "package.Test/subtest" apart; the subtest may be
// missing. The package is a folder of the project.
func Split(name string) (folder, function, sub string) {
	function, sub, _ = strings.Cut(name[strings.LastIndex(name, ".")+1:], "/")
	folder = strings.TrimSuffix(name, "/"+sub)
	return strings.TrimSuffix(folder, "."+function), function, sub
}

// Source looks names up, each folder read once. The zero value is no use: see
// [NewSource]. It is not safe for concurrent use.
type Source struct {
	root    string
	folders map[string]Files
}

// NewSource returns the source of the project at root.
func NewSource(root string) *Source { return &Source{root: root, folders: map[string]Files{}} }

// Check returns nil if what name says exists, and otherwise an error that says what does
// not.
func (s *Source) Check(name string) error {
	folder, function, sub := Split(name)
	f, ok := s.folders[folder]
	if !ok {
		var err error
		if f, err = Parse(s.root, folder); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.folders[folder] = f
	}
	switch {
	case !f.Functions[function]:
		return fmt.Errorf("%s: there is no %s in %s", name, function, folder)
	case sub != "" && !f.HasSubtest(function, sub):
		return fmt.Errorf("%s: no subtest of %s in %s is called %q", name, function, folder, sub)
	}
	return nil
}

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
	texts  map[string]bool // of literals, as names of subtests have them
}

var isTest = regexp.MustCompile(`^(Test|Benchmark|Fuzz|Example)([A-Z0-9]|$)`)

// Parse reads the _test.go files of a folder, slash-separated and relative to root. A
// folder without any is an error.
func Parse(root, folder string) (Files, error) {
	f := Files{folder: filepath.Join(root, filepath.FromSlash(folder)), Functions: map[string]bool{}, texts: map[string]bool{}}
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
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && isTest.MatchString(fn.Name.Name) && fn.Name.Name != "TestMain" {
			f.Functions[fn.Name.Name] = true
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				f.texts[strings.ReplaceAll(s, " ", "_")] = true
			}
		}
		return true
	})
	return nil
}

// HasSubtest reports whether a subtest may have that name: one that is spelt out in the
// source, or that of a script in testdata.
func (f Files) HasSubtest(name string) bool {
	_, err := os.Stat(filepath.Join(f.folder, "testdata", name+".txtar"))
	return err == nil || f.texts[name]
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

// NewSource is the project at root.
func NewSource(root string) *Source { return &Source{root: root, folders: map[string]Files{}} }

// Check is nil if what name says exists, and otherwise says what does not.
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
	case sub != "" && !f.HasSubtest(sub):
		return fmt.Errorf("%s: nothing in the tests of %s is called %q", name, folder, sub)
	}
	return nil
}

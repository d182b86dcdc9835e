package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/named"
)

// foreign are names of files that are not ours, and whose they are.
var foreign = map[string]string{
	"support/util/util.go":                                      "HyperShift",
	"support/upsert/apply.go":                                   "HyperShift",
	"support/config/constants.go":                               "HyperShift",
	"ignition-server/controllers/local_ignitionprovider.go":     "HyperShift",
	"support/util/imagemetadata.go":                             "HyperShift",
	"support/globalconfig/imagecontentsource.go":                "HyperShift",
	"control-plane-operator/hostedclusterconfigoperator/cmd.go": "HyperShift",
	"ignition-server/cmd/start.go":                              "HyperShift",
	"karpenter-operator/main.go":                                "HyperShift",
	"ignition-server/cmd/run_local_ignitionprovider.go":         "HyperShift",
	"cmd/cluster/core/create.go":                                "HyperShift",
	"cmd/nodepool/core/create.go":                               "HyperShift",
	"helpers.go":                                                "the machine-config operator",
	"registry_reference.go":                                     "CRI-O",
	"docs/containers-signature.5.md":                            "containers/image",
	"docs/spec/auth/token.md":                                   "distribution",
	"token.md":                                                  "distribution",
	"oauth.md":                                                  "distribution",
	"layer.md":                                                  "the OCI image specification",
	"image-index.md":                                            "the OCI image specification",
	"runtime/sizeclasses.go":                                    "Go",
}

// TestReferences wants every file that a comment or a document names to be in the
// repository: names of documents wherever they stand, and names of code, YAML and scripts
// with a folder before them or in backticks.
func TestReferences(t *testing.T) {
	files, err := repositoryFiles("..")
	if err != nil {
		t.Fatal(err)
	}
	needed := map[string]bool{}
	checked := 0
	for _, file := range files {
		for _, text := range prose(t, file) {
			for _, name := range namesIn(text) {
				checked++
				switch {
				case isFile(files, file, name):
				case foreign[name] != "":
					needed[name] = true
				default:
					t.Errorf("%s names %s, which is not in the repository", file, name)
				}
			}
		}
	}
	for name, why := range foreign {
		if !needed[name] {
			t.Errorf("nothing names %s (%s) any more, or it is in the repository now: remove the exception", name, why)
		}
	}
	if checked < 50 {
		t.Errorf("only %d names of files were found; want at least 50", checked)
	}
}

// The test finds what it is for.
func TestReferencesFindNames(t *testing.T) {
	for text, want := range map[string][]string{
		"as (targets.md, P9) says":                                          {"targets.md"},
		"see docs/gone.md and `gone.go`":                                    {"docs/gone.md", "gone.go"},
		"policy/gone.go, then test/gone.sh.":                                {"policy/gone.go", "test/gone.sh"},
		"a bare gone.go is a word, and idms.yaml too":                       nil,
		"[there](gone.md), [here](../docs/gone.md#it)":                      {"gone.md", "../docs/gone.md"},
		"https://example.com/a/gone.md":                                     nil,
		"github.com/openshift/api/config/v1/gone.go":                        nil,
		"/etc/gone/gone.yaml, $DIR/gone.yaml, DIR/gone.yaml, <x>/gone.yaml": nil,
		"`mirrorchain -s gone.yaml REF`":                                    {"gone.yaml"},
	} {
		if got := namesIn(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	files := []string{"README.md", "docs/a.md", "docs/b.md", "policy/rules.go"}
	for name, want := range map[string]bool{"b.md": true, "docs/b.md": true, "../README.md": true, "policy/rules.go": true, "rules.go": true, "c.md": false, "other/rules.go": false, "ules.go": false} {
		if got := isFile(files, "docs/a.md", name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// repositoryFiles returns the files below root, slash-separated and relative to it,
// without what tools keep there.
func repositoryFiles(root string) (files []string, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == ".cache" || name == "bin"):
			return filepath.SkipDir
		case !d.IsDir():
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	return files, err
}

// prose returns what a person reads in a file: the comments of Go, and all of a document,
// a Makefile or a manifest. Test data is not ours to read.
func prose(t *testing.T, file string) []string {
	t.Helper()
	if strings.Contains("/"+file, "/testdata/") {
		return nil
	}
	text := func() string {
		data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	switch ext := path.Ext(file); {
	case ext == ".go":
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text(), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, group := range parsed.Comments {
			for _, c := range group.List {
				out = append(out, c.Text)
			}
		}
		return out
	case ext == ".md", ext == ".yaml", ext == ".yml", path.Base(file) == "Makefile":
		return []string{text()}
	}
	return nil
}

var (
	fileName = regexp.MustCompile(`[\w./<>${}*~:@-]*\.(md|go|yaml|sh)\b`)
	quoted   = regexp.MustCompile("`[^`\n]+`")
)

// namesIn returns the names of files in text that must be in the repository.
func namesIn(text string) (names []string) {
	code := quoted.FindAllStringIndex(text, -1)
	for _, at := range fileName.FindAllStringIndex(text, -1) {
		name := text[at[0]:at[1]]
		folder, base := path.Split(name)
		first, _, _ := strings.Cut(folder, "/")
		inCode := slices.ContainsFunc(code, func(c []int) bool { return c[0] <= at[0] && at[1] <= c[1] })
		switch {
		case strings.ContainsAny(name, "<>${}*~:@"), strings.HasPrefix(name, "/"), strings.HasPrefix(base, "."): // a pattern, an address, a place of a machine
		case first != "" && first != ".." && first != "." && strings.Contains(strings.TrimLeft(first, "."), "."): // a module
		case strings.ToUpper(first) == first && strings.ToLower(first) != first: // DIR/x.yaml
		case folder != "" || inCode || path.Ext(name) == ".md":
			names = append(names, name)
		}
	}
	return names
}

// isFile reports whether name, as a document writes it, is one of files: relative to the
// document or to the root, or the end of a path.
func isFile(files []string, document, name string) bool {
	next := path.Join(path.Dir(document), name)
	name = strings.TrimPrefix(path.Clean(name), "./")
	return slices.ContainsFunc(files, func(f string) bool {
		return f == next || f == name || strings.HasSuffix(f, "/"+name)
	})
}

var testName = regexp.MustCompile(`\bTest[A-Z]\w*`)

// The tests that docs/semantics.md names are there.
func TestSemanticsNamesTests(t *testing.T) {
	data, err := os.ReadFile("../docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, folder := range []string{"policy", "provider/imageref", "provider/verify/sigstore", "sources/file", "test/peers"} {
		files, err := named.Parse("..", folder)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(there, files.Functions)
	}
	names := testName.FindAllString(string(data), -1)
	if len(names) < 20 {
		t.Errorf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !there[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

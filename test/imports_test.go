// Package test holds the tests that concern the module as a whole: which
// package may import which, that everything is documented, and that what the
// README says is so.
package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mirrorchain/mirrorchain"

// pkg is what `go list -json` says about a package.
type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	Name       string
	Standard   bool
	Imports    []string
	GoFiles    []string
}

// rel is the package's folder in the module, "." for its root.
func (p pkg) rel() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Doc,Name,Standard,Imports,GoFiles"}, args...)...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// A ban says that packages below from may not import those below any of what.
// Names without a dot in their first element are folders of this module.
type ban struct {
	from   string
	what   []string
	except []string // folders below from that may
	reason string
}

var bans = []ban{
	{from: "provider", what: []string{"sources", "chain", "cmd", "examples"}, reason: "the vocabulary and the registry know nothing of where rules come from or who asks"},
	{from: "sources", what: []string{"chain", "cmd", "examples", "provider/registry"}, reason: "sources and chain meet only in cmd and in a user's program"},
	{from: "chain", what: []string{"sources", "cmd", "examples", "provider/registry"}, reason: "the chain decides where to look; it neither reads policies nor registries"},
	{from: "chain", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift"}, reason: "who embeds the chain must not inherit Kubernetes"},
	{from: "", what: []string{"cmd"}, except: []string{"cmd", "test"}, reason: "commands are at the top"},
	{from: "", what: []string{"github.com/google/go-containerregistry"}, except: []string{"provider/registry"}, reason: "one package reads registries"},
	{from: "provider", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift"}, except: []string{"provider/internal/payload"}, reason: "only the decoder of release payloads needs API types"},
	{from: "sources", what: []string{"k8s.io", "github.com/openshift"}, except: []string{"sources/internal/kube"}, reason: "sources without a cluster must not bring a client"},
	{from: "", what: []string{"provider/providertest"}, except: []string{"provider/providertest", "provider/registry", "chain", "cmd/internal/demo", "test"}, reason: "test equipment stays in tests, and in the demo"},
	{from: "", what: []string{"testing"}, except: []string{"provider/providertest", "sources/sourcetest", "sources/internal/kube/kubetest", "test"}, reason: "no shipped binary carries the testing package"},
}

// exact lists packages whose imports from outside the standard library are
// spelt out in full.
var exact = map[string][]string{
	"provider":          {module + "/provider/imageref"},
	"provider/imageref": {"github.com/distribution/reference"},
}

func under(path, prefix string) bool {
	if prefix == "" {
		return true
	}
	if path == prefix || strings.HasPrefix(path, prefix+"/") {
		return true
	}
	return false
}

func TestImportDirection(t *testing.T) {
	used := make([]bool, len(bans))
	for _, p := range list(t, "./...") {
		for _, imp := range p.Imports {
			name := strings.TrimPrefix(imp, module+"/")
			for i, b := range bans {
				if !under(p.rel(), b.from) || slices.ContainsFunc(b.except, func(e string) bool { return under(p.rel(), e) }) {
					continue
				}
				used[i] = true
				if slices.ContainsFunc(b.what, func(w string) bool { return under(name, w) }) {
					t.Errorf("%s imports %s: %s", p.rel(), name, b.reason)
				}
			}
		}
	}
	for i, b := range bans {
		if !used[i] {
			t.Errorf("no package is bound by the ban of %v on %q: the table is out of date", b.what, b.from)
		}
	}
}

func TestVocabularyImports(t *testing.T) {
	std := make(map[string]bool)
	for _, p := range list(t, "std") {
		std[p.ImportPath] = true
	}
	for folder, allowed := range exact {
		for _, p := range list(t, "./"+folder) {
			for _, imp := range p.Imports {
				if !std[imp] && !slices.Contains(allowed, imp) {
					t.Errorf("%s imports %s; it may import the standard library and %v", folder, imp, allowed)
				}
			}
		}
	}
}

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
	Deps       []string // what it imports, what that imports, and so on
	GoFiles    []string
}

// rel returns the package's folder in the module, "." for its root.
func (p pkg) rel() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Doc,Name,Standard,Imports,Deps,GoFiles"}, args...)...)
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
	{from: "policy", what: []string{"provider/registry", "provider/internal", "sources", "chain", "cmd", "examples"}, reason: "what policies mean depends on nobody who reads them or asks"},
	{from: "sources", what: []string{"chain", "cmd", "examples", "provider/registry"}, reason: "sources and chain meet only in cmd and in a user's program"},
	{from: "chain", what: []string{"sources", "cmd", "examples", "provider/registry"}, reason: "the chain decides where to look; it neither reads policies nor registries"},
	{from: "chain", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift"}, reason: "who embeds the chain must not inherit Kubernetes"},
	{from: "", what: []string{module}, except: []string{"cmd", "examples", "test"}, reason: "the front door is for programs; what it puts together does not know it"},
	{from: ".", what: []string{"cmd", "examples"}, reason: "programs are at the top"},
	{from: "", what: []string{"cmd"}, except: []string{"cmd", "test"}, reason: "commands are at the top"},
	{from: "", what: []string{"github.com/google/go-containerregistry"}, except: []string{"provider/registry", "internal/dist", "test/deploy"}, reason: "one package reads registries, and one program makes images"},
	{from: "provider", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift"}, except: []string{"provider/internal/payload", "provider/verify/cluster"}, reason: "only the decoder of release payloads needs API types, and what reads a cluster a client"},
	{from: "sources", what: []string{"k8s.io", "github.com/openshift"}, except: []string{"sources/internal/kube", "sources/cluster", "sources/reader"}, reason: "sources without a cluster must not bring a client"},
	{from: "", what: []string{"provider/providertest", "policy/policytest"}, except: []string{"provider/providertest", "provider/registry", "chain", "cmd/internal/demo", "internal/test", "test"}, reason: "test equipment stays in tests, and in the demo"},
	{from: "", what: []string{"internal/test"}, except: []string{"sources/internal/kube/kubetest", "internal/test", "test"}, reason: "test helpers stay in tests"},
	{from: "internal/test", what: []string{"cmd", "sources", "chain", "examples", "test"}, reason: "test helpers know nothing of what is tested with them"},
	{from: "", what: []string{"testing"}, except: []string{"provider/providertest", "sources/sourcetest", "sources/internal/kube/kubetest", "internal/test", "test"}, reason: "no shipped binary carries the testing package"},
}

// inherited are bans that hold for what comes along with an import too, because
// their reasons are about what ends up in the program of whoever imports from.
var inherited = []ban{
	{from: "provider", what: []string{"sources", "chain", "cmd", "examples"}, reason: "the vocabulary and the registry know nothing of where rules come from or who asks"},
	{from: "provider", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift", "github.com/google/go-containerregistry"},
		except: []string{"provider/internal/payload", "provider/registry", "provider/verify/cluster", "provider/layout"}, reason: "who uses the vocabulary must not inherit API types or a registry client"},
	{from: "chain", what: []string{"sources", "cmd", "examples", "provider/registry", "github.com/google/go-containerregistry"}, reason: "the chain decides where to look; it neither reads policies nor registries"},
	{from: "chain", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift"}, reason: "who embeds the chain must not inherit Kubernetes"},
	{from: "sources", what: []string{"chain", "cmd", "examples", "provider/registry", "github.com/google/go-containerregistry"}, reason: "sources and chain meet only in cmd and in a user's program"},
	{from: "sources", what: []string{"k8s.io", "sigs.k8s.io", "github.com/openshift"},
		except: []string{"sources/internal/kube", "sources/cluster", "sources/icsp", "sources/idms", "sources/itms", "sources/imageconfig", "sources/reader"}, reason: "sources without a cluster must not bring a client"},
	{from: "", what: []string{"go.uber.org/zap", "github.com/go-logr/zapr"}, except: []string{"cmd", "test"}, reason: "the library logs to what its user gives it, and brings no logger"},
	{from: ".", what: []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime"}, reason: "who looks images up by files must not inherit a client for Kubernetes"},
	{from: "", what: []string{"provider/providertest", "policy/policytest", "sources/sourcetest", "sources/internal/kube/kubetest"},
		except: []string{"provider/providertest", "sources/sourcetest", "sources/internal/kube/kubetest", "cmd", "internal/test", "test"}, reason: "test equipment stays in tests, and in the demo"},
	{from: "", what: []string{"testing"}, except: []string{"provider/providertest", "sources/sourcetest", "sources/internal/kube/kubetest", "internal/test", "test"}, reason: "no shipped binary carries the testing package"},
}

// exact lists packages whose imports from outside the standard library are
// spelt out in full.
var exact = map[string][]string{
	"policy":                   {module + "/provider/imageref"}, // others adopt it without anything else
	"provider":                 {module + "/policy", module + "/provider/imageref"},
	"provider/imageref":        {},
	"chain/verifier":           {module + "/chain/node", module + "/provider", module + "/provider/verify", module + "/provider/verify/sigstore"},
	"provider/verify/sigstore": {module + "/provider/imageref"},
	// Who reads images from disk must not inherit a registry client.
	"provider/layout": {module + "/provider", module + "/provider/imageref", module + "/provider/internal/jsonlimit", module + "/provider/internal/layer", module + "/provider/internal/payload"},
	// Who verifies signatures must not inherit a cluster or a registry client.
	"provider/verify": {"github.com/ProtonMail/go-crypto/openpgp", "github.com/ProtonMail/go-crypto/openpgp/armor", "github.com/ProtonMail/go-crypto/openpgp/packet"},
	// Who keeps things on disk must not inherit a database.
	"provider/diskcache": {},
	"chain":              {module + "/chain/health", module + "/chain/internal/failover", module + "/chain/internal/flight", module + "/policy", module + "/provider", module + "/provider/imageref", "github.com/hashicorp/go-multierror"},
	"chain/health":       {},
	// The page of the operators and the command say the same of an image.
	"cmd/internal/explanation": {module + "/policy", module + "/provider"},
	"cmd/internal/words":       {},
	"chain/internal/flight":    {module + "/provider", module + "/provider/imageref"},
	"sources":                  {module + "/internal/sleep", module + "/policy", module + "/provider"},
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
	pkgs := list(t, "./...")
	check(t, pkgs, bans, "imports", func(p pkg) []string { return p.Imports })
	check(t, pkgs, inherited, "inherits", func(p pkg) []string { return p.Deps })
}

func check(t *testing.T, pkgs []pkg, bans []ban, verb string, imports func(pkg) []string) {
	t.Helper()
	for _, b := range bans {
		used := false
		for _, p := range pkgs {
			if !under(p.rel(), b.from) || slices.ContainsFunc(b.except, func(e string) bool { return under(p.rel(), e) }) {
				continue
			}
			used = true
			for _, imp := range imports(p) {
				name := strings.TrimPrefix(imp, module+"/")
				if slices.ContainsFunc(b.what, func(w string) bool { return under(name, w) }) {
					t.Errorf("%s %s %s: %s", p.rel(), verb, name, b.reason)
				}
			}
		}
		if !used {
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

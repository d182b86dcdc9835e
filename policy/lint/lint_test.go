package lint_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/lint"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// object writes a policy object: entries are "source mirror mirror !never".
func object(kind string, entries ...string) string {
	list := map[string][2]string{
		"ImageContentSourcePolicy": {"operator.openshift.io/v1alpha1", "repositoryDigestMirrors"},
		"ImageDigestMirrorSet":     {"config.openshift.io/v1", "imageDigestMirrors"},
		"ImageTagMirrorSet":        {"config.openshift.io/v1", "imageTagMirrors"},
	}[kind]
	var b strings.Builder
	fmt.Fprintf(&b, "---\napiVersion: %s\nkind: %s\nmetadata: {name: x}\nspec:\n  %s:\n", list[0], kind, list[1])
	for _, e := range entries {
		words := strings.Fields(e)
		fmt.Fprintf(&b, "  - source: %q\n    mirrors:\n", words[0])
		for _, m := range words[1:] {
			if m == "!never" {
				b.WriteString("    mirrorSourcePolicy: NeverContactSource\n")
			} else {
				fmt.Fprintf(&b, "    - %q\n", m)
			}
		}
	}
	return b.String()
}

func icsp(entries ...string) string { return object("ImageContentSourcePolicy", entries...) }
func idms(entries ...string) string { return object("ImageDigestMirrorSet", entries...) }
func itms(entries ...string) string { return object("ImageTagMirrorSet", entries...) }

func image(registrySources string) string {
	return "---\napiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec: {registrySources: {" + registrySources + "}}\n"
}

func check(t *testing.T, cfg lint.Config, text string) []lint.Finding {
	t.Helper()
	p, err := file.Parse("file:p.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return lint.Check(cfg, p)
}

// say writes findings as "severity code origin", those to know left out unless all is set.
func say(all bool, findings []lint.Finding) string {
	var out []string
	for _, f := range findings {
		if all || f.Severity > lint.Info {
			s := f.Severity.String() + " " + f.Code
			if f.RefusedByAPI {
				s += " refused"
			}
			for _, p := range f.Places {
				s += fmt.Sprint(" ", p.Line)
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"nothing wrong", idms("quay.io/a m.io/a", "quay.io/b m.io/b"), ""},
		{"a mirror that leaves no room for an image", idms("quay.io/a m.io/"+strings.Repeat("a", 255), "quay.io/b m.io/"+strings.Repeat("b", 200)), "error unparsable-rewrite 7"},
		{"the same mirror twice", idms("quay.io/a m.io/a n.io m.io/a"), "error mirror-duplicate refused 7"},
		{"twice in an ICSP", icsp("quay.io/a m.io/a m.io/a"), "warning mirror-duplicate 7"},
		{"twice in an ICSP, the source first by name", icsp("a.io/a m.io/a m.io/a"), "warning mirror-duplicate 7, warning source-first 7"},
		{"the source among its mirrors", idms("quay.io/a m.io/a quay.io/a n.io"), "warning source-is-mirror 7"},
		{"and Never", idms("quay.io/a m.io/a quay.io/a !never"), "error source-is-mirror 7"},
		{"a bare public host", idms("quay.io m.io/q"), "warning catch-all 7"},
		{"a top-level domain", idms("*.io m.com/q"), "warning catch-all 7"},
		{"a bare host of a site", idms("registry.example.com m.io/q"), ""},
		{"a mirror of a mirror", idms("quay.io/a m.io/a", "m.io/a n.io/a"), "warning mirror-of-mirror 7 10"},
		{"a loop", idms("quay.io/a m.io/a", "m.io/a quay.io/a/b"), "warning mirror-loop 10 7"},
		{"a scheme", idms("quay.io/a http://m.io/a"), "error crd-pattern refused 7, error unreadable 7"},
		{"a tag", idms("quay.io/a m.io/a:v1"), "error crd-pattern refused 7"},
		{"a digest, a slash, upper case, a wildcard", idms("quay.io/a/ m.io/A m.io/b@sha256:0 *.m.io"), "error crd-pattern refused 7, error crd-pattern refused 7, error crd-pattern refused 7, error crd-pattern refused 7"},
		{"the same in an ICSP", icsp("quay.io/a m.io/A"), "error strict-conflict 7, error unparsable-rewrite 7"},
		{"conflicting policies", idms("quay.io/a m.io/a !never") + itms("quay.io/a m.io/a"), "error strict-conflict 7 17"},
		{"Never and all mirrors blocked", idms("quay.io/a m.io/a !never") + image("blockedRegistries: [m.io]"), "error never-all-mirrors-blocked 7"},
		{"Never and a mirror inside", idms("quay.io/a quay.io/a/m !never"), "error never-all-mirrors-blocked 7"},
		{"tags hide digests", idms("quay.io/a m.io/a") + itms("quay.io/a/b m.io/b"), "warning tag-hides-digest 7 16"},
		{"digests hide tags", itms("quay.io/a m.io/a") + idms("quay.io/a/b m.io/b"), "warning digest-hides-tag 16"},
		{"release images alone", idms("quay.io/openshift-release-dev/ocp-release m.io/r"), "warning release-alone 7"},
		{"with components", idms("quay.io/openshift-release-dev/ocp-release m.io/r", "quay.io/openshift-release-dev/ocp-v9.9-art-dev m.io/c"), ""},
		{"with the namespace", idms("quay.io/openshift-release-dev/ocp-release m.io/r", "quay.io/openshift-release-dev m.io/c"), ""},
		{"a plain registry", idms("quay.io/a m.io:5000/a", "quay.io/b m.io:5000/b"), "warning insecure-mirror-not-declared 7"},
		{"an address", idms("quay.io/a 10.0.0.1/a"), "warning insecure-mirror-not-declared 7"},
		{"a plain registry that is declared", idms("quay.io/a m.io:5000/a", "quay.io/b p.io:80/b") + image(`insecureRegistries: ["m.io:5000", "*.x.io"], blockedRegistries: ["p.io:80/b/c"]`), "warning insecure-mirror-not-declared 10"},
		{"registries of the image configuration", image(`insecureRegistries: ["a.io/", "*.b.io"], blockedRegistries: ["c.io:tag", "*"]`), "error crd-pattern refused 5, error crd-pattern refused 5, error crd-pattern refused 5"},
		{"allowed and blocked", image("allowedRegistries: [a.io], blockedRegistries: [b.io]"), "error allowed-and-blocked refused 5 5"},
		{"an ITMS in the config of a NodePool", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: |\n    " + strings.ReplaceAll(itms("quay.io/a m.io/a"), "\n", "\n    "), "error nodepool-unsupported 1"},
		{"a misspelt key", "[[registry]]\nlocation = 'a.io'\nblock = true\n", "warning ignored-key 1"},
		{"a table twice", "[[registry]]\nlocation = 'a.io'\n[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = 'm.io'\n", "warning duplicate-table 1 3"},
		{"a misspelt kind", strings.ReplaceAll(idms("quay.io/a m.io/a"), "kind: ImageDigestMirrorSet", "kind: ImageDigestMirrorsSet"), "error misspelt-kind 2, warning no-rules 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := say(false, check(t, lint.Config{}, tc.text)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestInfo(t *testing.T) {
	catalog := "---\napiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\nmetadata: {name: c}\nspec: {image: registry.redhat.io/redhat/redhat-operator-index:v4.17}\n"
	for _, tc := range []struct{ name, text, want string }{
		{"digests alone", idms("quay.io/a m.io/a"), "info digest-only-covered"},
		{"tags alone", itms("quay.io/a m.io/a"), "info tag-only-covered"},
		{"both", idms("quay.io/a m.io/a") + itms("quay.io/a m.io/a"), ""},
		{"a catalog", idms("quay.io/a m.io/a") + catalog, "info digest-only-covered, info operator-coverage 11"},
		{"a catalog and its tags", itms("registry.redhat.io/redhat m.io/redhat") + catalog, "info tag-only-covered"},
		{"a catalog and other tags", itms("quay.io/a m.io/a") + catalog, "info operator-coverage 11, info tag-only-covered"},
		{"a catalog and its digests", idms("registry.redhat.io/redhat m.io/redhat") + catalog, "info digest-only-covered, info operator-coverage 11"},
		{"a catalog by digest", idms("registry.redhat.io m.io") + strings.ReplaceAll(catalog, ":v4.17", "@sha256:"+strings.Repeat("0", 64)), "warning catch-all 7, info digest-only-covered"},
		{"a catalog at the mirror", idms("registry.redhat.io/redhat m.io/redhat") + strings.ReplaceAll(catalog, "registry.redhat.io", "m.io"), "info digest-only-covered"},
		{"a cluster catalog", idms("registry.redhat.io/redhat m.io/redhat") + "---\napiVersion: olm.operatorframework.io/v1\nkind: ClusterCatalog\nmetadata: {name: c}\nspec: {source: {type: Image, image: {ref: registry.redhat.io/redhat/x:v1}}}\n", "info digest-only-covered, info operator-coverage 11"},
		{"a catalog alone", catalog, "warning no-rules 0"},
		{"a large ICSP", icsp(slices.Repeat([]string{"quay.io/a/b/c/d/e/f m.io/a/b/c/d/e/f"}, 3500)...), "info digest-only-covered, info size 10006"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := say(true, check(t, lint.Config{}, tc.text)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestHosted(t *testing.T) {
	long := "quay.io/" + strings.Repeat("a", 250)
	var many []string
	for i := range 256 {
		many = append(many, fmt.Sprintf("quay.io/n%d m.io/n%d", i, i))
	}
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", idms("quay.io/a m.io/a"), ""},
		{"tags", itms("quay.io/a m.io/a"), "error hosted-unsupported 7"},
		{"Never", idms("quay.io/a m.io/a !never"), "error hosted-unsupported 7"},
		{"a wildcard", idms("*.a.io m.io/a"), "error hosted-unsupported 7"},
		{"a long name", idms(long + " m.io/a"), "error hosted-unsupported 7, warning dead-scope 7"},
		{"many entries", idms(many...), "error hosted-unsupported 772"},
	} {
		if got := say(false, check(t, lint.Config{Hosted: true}, tc.text)); got != tc.want {
			t.Errorf("%s: got  %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestCoverage(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	images := []lint.Image{
		{Name: "release", Ref: imageref.MustParse("quay.io/r/ocp-release" + digest)},
		{Name: "etcd", Ref: imageref.MustParse("quay.io/r/ocp-v5.0-art-dev" + digest)},
		{Name: "cli", Ref: imageref.MustParse("quay.io/r/ocp-v5.0-art-dev" + digest)},
		{Name: "kubevirt", Ref: imageref.MustParse("quay.io/r/boot" + digest), Boot: true},
	}
	got := check(t, lint.Config{Images: images}, idms("quay.io/r/ocp-release m.io/r"))
	if say(false, got) != "error release-coverage, warning boot-image-coverage" || !strings.Contains(got[0].Message, "quay.io/r/ocp-v5.0-art-dev, where 2 images of the release are: etcd, cli") {
		t.Errorf("%+v", got)
	}
	if got := say(false, check(t, lint.Config{Images: images}, idms("quay.io/r m.io/r"))); got != "" {
		t.Error(got)
	}
	if got := say(false, check(t, lint.Config{Images: images[:1]}, itms("quay.io/r m.io/r"))); got != "error release-coverage" {
		t.Error(got)
	}
}

// What no node loads is named, and the rest is judged.
func TestLeftOut(t *testing.T) {
	got := check(t, lint.Config{}, icsp("https://quay.io/a m.io/a", "*.b.io:50 m.io/b", "quay.io m.io/c"))
	if s := say(false, got); s != "error unreadable 7, error unreadable 10, warning catch-all 13" {
		t.Error(s)
	}
}

// Each of several errors is a finding, however they are wrapped.
func TestUnreadable(t *testing.T) {
	at := func(line int) error {
		return &policy.InvalidPolicyError{Origin: fmt.Sprintf("file:p.yaml:%d imagedigestmirrorset/x", line), Err: errors.New("wrong"), RefusedByAPI: line == 3}
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{at(1), "error unreadable 1"},
		{fmt.Errorf("reading: %w", errors.Join(at(2), fmt.Errorf("%w", at(3)), errors.New("away"))), "error unreadable 2, error unreadable refused 3, error unreadable"},
		{fmt.Errorf("reading: %w", errors.New("away")), "error unreadable"},
	} {
		if got := say(true, lint.UnreadableFindings(tc.err)); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.err, got, tc.want)
		}
	}
}

// Every kind of finding says what happens and how it is mended, and every warning of
// package policy is one.
func TestCatalogue(t *testing.T) {
	codes := map[string]bool{}
	for _, k := range lint.Catalogue() {
		if k.Code == "" || k.Effect == "" || k.Fix == "" || codes[k.Code] {
			t.Errorf("%+v", k)
		}
		codes[k.Code] = true
	}
	for _, code := range warnings(t) {
		if !codes[code] {
			t.Errorf("%s is no kind of finding", code)
		}
	}
}

// warnings returns the codes of all warnings of package policy, as its source has them.
func warnings(t *testing.T) (codes []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../policy.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Warn") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if len(codes) < 10 {
		t.Fatalf("the warnings of package policy have moved: %d are found", len(codes))
	}
	return codes
}

func TestPlaceOf(t *testing.T) {
	for origin, want := range map[string]lint.Place{
		"file:p.yaml:14 imagedigestmirrorset/x#1":                        {File: "p.yaml", Line: 14},
		"file:/a b/p.yaml:3 configmap/c config:6 imagedigestmirrorset/x": {File: "/a b/p.yaml", Line: 3},
		"file:C:/p.yaml:3":           {File: "C:/p.yaml", Line: 3},
		"file:p.yaml":                {File: "p.yaml"},
		"file:p.conf [[registry]]#1": {File: "p.conf"},
		"imagedigestmirrorset/x#1":   {},
		"file:-:3 x":                 {},
	} {
		if got, ok := lint.PlaceOf(origin); got != want || ok != (want.File != "") {
			t.Errorf("%s: %+v, %v", origin, got, ok)
		}
	}
}

package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// idms returns an IDMS with one entry.
func idms(name, source string, mirrors ...string) string {
	return fmt.Sprintf("apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: %s}\nspec:\n  imageDigestMirrors:\n  - source: %s\n    mirrors: [%s]\n",
		name, source, strings.Join(mirrors, ", "))
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, path string) policy.OverrideSource {
	t.Helper()
	src, err := file.Open(path, file.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func load(t *testing.T, path string) policy.Policy {
	t.Helper()
	p, err := open(t, path).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sourcesOf lists "source origin" of each rule, the origin below dir.
func sourcesOf(dir string, p policy.Policy) (out []string) {
	for _, r := range p.Rules {
		out = append(out, r.Source+" "+strings.ReplaceAll(r.Origin, dir+"/", ""))
	}
	return out
}

func codes(p policy.Policy) (out []string) {
	for _, w := range p.Warnings {
		out = append(out, w.Code)
	}
	return out
}

// What oc-mirror v2 leaves in working-dir/cluster-resources, and v1 in results-*.
func TestOCMirrorDirectories(t *testing.T) {
	v2 := t.TempDir()
	write(t, v2+"/idms-oc-mirror.yaml", "---\n"+idms("idms-release-0", "quay.io/a", "m/a")+"---\n"+idms("idms-operator-0", "quay.io/b", "m/b"))
	write(t, v2+"/itms-oc-mirror.yaml", "---\napiVersion: config.openshift.io/v1\nkind: ImageTagMirrorSet\nmetadata: {name: itms-generic-0}\nspec:\n  imageTagMirrors:\n  - source: quay.io/c\n    mirrors: [m/c]\n")
	write(t, v2+"/signature-configmap.json", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"mirrored-release-signatures"}}`)
	write(t, v2+"/signature-configmap.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mirrored-release-signatures}\n")
	write(t, v2+"/cs-redhat-operator-index-v4-18.yaml", "apiVersion: operators.coreos.com/v1alpha1\nkind: CatalogSource\nmetadata: {name: cs}\n")
	write(t, v2+"/updateService.yaml", "apiVersion: updateservice.operator.openshift.io/v1\nkind: UpdateService\nmetadata: {name: u}\n")
	p := load(t, v2)
	if diff := cmp.Diff([]string{
		"quay.io/a file:idms-oc-mirror.yaml:7 imagedigestmirrorset/idms-release-0#1",
		"quay.io/b file:idms-oc-mirror.yaml:15 imagedigestmirrorset/idms-operator-0#1",
		"quay.io/c file:itms-oc-mirror.yaml:7 imagetagmirrorset/itms-generic-0#1",
	}, sourcesOf(v2, p)); diff != "" {
		t.Error(diff)
	}
	if len(p.Skipped) != 4 || len(p.Warnings) != 0 {
		t.Errorf("want 4 skipped objects and no warning, got %v, %v", p.Skipped, p.Warnings)
	}

	v1 := t.TempDir() + "/results-1700000000"
	icsp := func(source string) string {
		return "---\napiVersion: operator.openshift.io/v1alpha1\nkind: ImageContentSourcePolicy\nmetadata:\n  name: generic-0\nspec:\n  repositoryDigestMirrors:\n  - mirrors:\n    - m/x\n    source: " + source + "\n"
	}
	write(t, v1+"/imageContentSourcePolicy.yaml", icsp("quay.io/a")+icsp("quay.io/b")) // one name twice
	write(t, v1+"/mapping.txt", "a=b\n")
	write(t, v1+"/charts/x.yaml", "not read")
	write(t, v1+"/release-signatures/signature-sha256-0.json", "{}")
	if diff := cmp.Diff([]string{
		"quay.io/a file:imageContentSourcePolicy.yaml:8 imagecontentsourcepolicy/generic-0#1",
		"quay.io/b file:imageContentSourcePolicy.yaml:18 imagecontentsourcepolicy/generic-0#1",
	}, sourcesOf(v1, load(t, v1))); diff != "" {
		t.Error(diff)
	}

	top := load(t, filepath.Dir(v1))
	if !slices.Equal(codes(top), []string{policy.WarnNoRules}) || !strings.Contains(top.Warnings[0].Message, v1) {
		t.Errorf("the directory above: want a warning that points at %s, got %v", v1, top.Warnings)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/b.yml", idms("b", "b.io", "m"))
	write(t, dir+"/a.JSON", `[{"source":"a.io","mirrors":["m"]}]`)
	write(t, dir+"/.hidden.yaml", "{")
	write(t, dir+"/notes.txt", "{")
	write(t, dir+"/c.yaml.bak", "{")
	write(t, dir+"/d.conf", "{") // of some other program
	write(t, dir+"/sub.yaml/x.yaml", "{")
	if err := os.Symlink("gone", dir+"/.#b.yml"); err != nil { // Emacs' lock
		t.Fatal(err)
	}
	if err := os.Symlink("gone", dir+"/z.yaml"); err != nil {
		t.Fatal(err)
	}
	p := load(t, dir)
	if diff := cmp.Diff([]string{"a.io file:a.JSON:1 imagecontentsources#1", "b.io file:b.yml:6 imagedigestmirrorset/b#1"}, sourcesOf(dir, p)); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(codes(p), []string{policy.WarnNotEnforced, policy.WarnNotRead}) || !strings.Contains(p.Warnings[0].Message, "d.conf") || !strings.Contains(p.Warnings[1].Message, "z.yaml") {
		t.Errorf("want warnings that d.conf is not read as policy and that z.yaml leads nowhere, got %v", p.Warnings)
	}
}

func table(location string, more ...string) string {
	return "[[registry]]\nlocation = \"" + location + "\"\n" + strings.Join(more, "\n") + "\n"
}

func TestRegistriesConf(t *testing.T) {
	dir := t.TempDir()
	conf := write(t, dir+"/registries.conf", "# comment\nunqualified-search-registries = [\"x.io\"]\n"+table("a.io", "blocked = true")+table("b.io"))
	write(t, dir+"/registries.conf.d/20-late.conf", table("b.io", "insecure = true"))
	write(t, dir+"/registries.conf.d/10-early.conf", table("b.io", "blocked = true")+table("c.io"))
	write(t, dir+"/registries.conf.d/README", "not read")
	want := []string{
		"a.io file:registries.conf:3 [[registry]]#1",
		"b.io file:registries.conf:6 [[registry]]#2",
		"b.io file:registries.conf.d/20-late.conf:1 [[registry]]#1",
		"c.io file:registries.conf.d/10-early.conf:4 [[registry]]#2",
	}
	for _, path := range []string{conf, dir} { // the directory has a registries.conf in it
		if diff := cmp.Diff(want, sourcesOf(dir, load(t, path))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if diff := cmp.Diff([]string{
		"b.io file:20-late.conf:1 [[registry]]#1",
		"c.io file:10-early.conf:4 [[registry]]#2",
	}, sourcesOf(conf+".d", load(t, conf+".d"))); diff != "" {
		t.Errorf("the drop-ins alone: %s", diff)
	}
	if err := os.Symlink("gone", conf+".d/30-gone.conf"); err != nil { // nodes pass it over
		t.Fatal(err)
	}
	for _, path := range []string{conf, dir, conf + ".d"} {
		if p := load(t, path); !slices.Contains(codes(p), policy.WarnNotRead) {
			t.Errorf("%s: want a warning that a drop-in leads nowhere, got %v", path, p.Warnings)
		}
	}

	plain := write(t, dir+"/whatever", "[[ registry ]]\nlocation = \"a.io\"\n")
	if got := sourcesOf(dir, load(t, plain)); len(got) != 1 {
		t.Errorf("a registries.conf under another name: %v", got)
	}
	blank := write(t, dir+"/blank", "# all is in the drop-ins\n")
	write(t, blank+".d/1.conf", table("a.io"))
	if got := sourcesOf(dir, load(t, blank)); len(got) != 1 {
		t.Errorf("drop-ins of a file without content: %v", got)
	}
	dotted := write(t, dir+"/dotted", "short-name-mode = \"disabled\"\n"+table("a.io"))
	if got := sourcesOf(dir, load(t, dotted)); len(got) != 1 {
		t.Errorf("a registries.conf that starts with a key: %v", got)
	}
}

func TestNoRules(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty":    "",
		"comments": "# nothing\n",
		"skipped":  "kind: ConfigMap\napiVersion: v1\n",
		"conf":     "unqualified-search-registries = ['a.io']\n",
		"hollow":   "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: d}\nspec: {}\n",
		"emptydir": "",
	} {
		path := filepath.Join(dir, name)
		if name == "emptydir" {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, path, text)
		}
		if p := load(t, path); !slices.Equal(codes(p), []string{policy.WarnNoRules}) {
			t.Errorf("%s: want one %s warning, got %v", name, policy.WarnNoRules, p.Warnings)
		}
	}
}

func invalidAt(t *testing.T, err error, origin string) {
	t.Helper()
	wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
	if !ok || wrong.Origin != origin {
		t.Errorf("got %v, want an InvalidPolicyError of %s", err, origin)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir + "/gone.yaml", dir + "/no/such/dir.yaml"} {
		_, err := file.Open(path, file.Config{})
		invalidAt(t, err, "file:"+path)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "check the path") {
			t.Errorf("%v says not what is wrong or what to do", err)
		}
	}
	if _, err := file.Open("", file.Config{}); err == nil {
		t.Error("an empty path opens")
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	conf := write(t, dir+"/registries.conf", table("a.io"))
	drop := write(t, dir+"/registries.conf.d/x.conf", "[[registry]]\n")
	_, err := open(t, conf).Load(t.Context())
	invalidAt(t, err, "file:"+drop+":1 [[registry]]#1")

	many := t.TempDir()
	write(t, many+"/a.yaml", idms("a", "a.io", "m"))
	bad := write(t, many+"/b.yaml", idms("b", "b.io", "m")+"    mirrorSourcePolicy: No\n")
	_, err = open(t, many).Load(t.Context())
	invalidAt(t, err, "file:"+bad+":6 imagedigestmirrorset/b#1")

	big := write(t, dir+"/big.yaml", strings.Repeat("#", 101))
	src, err := file.Open(big, file.Config{MaxBytes: 100})
	if err != nil {
		t.Fatal(err)
	}
	_, err = src.Load(t.Context())
	invalidAt(t, err, "file:"+big)

	gone := write(t, dir+"/gone.yaml", idms("a", "a.io", "m"))
	src = open(t, gone)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	_, err = src.Load(t.Context())
	if _, wrong := errors.AsType[*policy.InvalidPolicyError](err); wrong || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that went away: got %v, want that it is away and not invalid", err)
	}
}

// 250,000 bytes and 10,000 sources are no error for their size.
func TestLargeFile(t *testing.T) {
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "- source: quay.io/org-%d\n  mirrors: [mirror.local:5000/org-%d]\n", i, i)
	}
	path := write(t, t.TempDir()+"/big", b.String())
	if p := load(t, path); len(p.Rules) != 10_000 || b.Len() < 250_000 {
		t.Errorf("%d rules of %d bytes", len(p.Rules), b.Len())
	}
}

func TestStdinAndPipes(t *testing.T) {
	src, err := file.Open("-", file.Config{Stdin: strings.NewReader(idms("a", "a.io", "m"))})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // read once, said as often as asked
		p, err := src.Load(t.Context())
		if diff := cmp.Diff([]string{"a.io file:-:6 imagedigestmirrorset/a#1"}, sourcesOf("/", p)); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	src, err = file.Open("-", file.Config{Stdin: strings.NewReader(table("a.io"))})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := src.Load(t.Context()); err != nil || len(p.Rules) != 1 {
		t.Errorf("a registries.conf on stdin: %v, %v", p, err)
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(idms("p", "p.io", "m")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	path := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if p := load(t, path); len(p.Rules) != 1 {
		t.Errorf("through %s: %v", path, p)
	}
}

// A pipe that nobody writes to is waited for no longer than the context lives.
func TestIdlePipe(t *testing.T) {
	idle, w := io.Pipe()
	defer w.Close() // ends the reader
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	go func() { <-started; cancel() }()
	f := file.Factory(file.Config{Stdin: readerFunc(func(p []byte) (int, error) { close(started); return idle.Read(p) })})
	if _, err := f.Open(ctx, "-"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestFactory(t *testing.T) {
	path := write(t, t.TempDir()+"/x.yaml", idms("a", "a.io", "m"))
	f := file.Factory(file.Config{})
	src, err := f.Open(context.Background(), path)
	if err != nil || f.Scheme != "file" || src.Name() != "file:"+path {
		t.Errorf("got %v, %v of scheme %q", src, err, f.Scheme)
	}
}

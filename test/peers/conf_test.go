package peers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
	types536 "github.com/containers/image/v5/types"
	"go.podman.io/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// TestConf asks about registries.conf as people write it, mistakes included: files
// with drop-ins, which are refused, and what images may be pulled from by those
// that are not. TestPeers has only files that a program wrote.
func TestConf(t *testing.T) {
	root := t.TempDir()
	loaded, refused, asked, mirrored := 0, 0, 0, 0
	for i := range *sets {
		w := writer{rand.New(rand.NewPCG(*seed+uint64(i), 1)), 0}
		if i%3 > 0 { // a third without any mistake
			w.mistakes = 4
		}
		dir := filepath.Join(root, fmt.Sprint(i))
		text := w.files(t, dir)
		conf := filepath.Join(dir, "registries.conf")
		n := &node{sys: system(conf, conf+".d")}
		_, nodeErr := sysregistriesv2.GetRegistries(n.sys)
		_, olderErr := sr536.GetRegistries(&types536.SystemContext{SystemRegistriesConfPath: conf, SystemRegistriesConfDirPath: conf + ".d"})
		rules, err := rulesOf(t, conf)

		if (err == nil) != (nodeErr == nil) {
			t.Errorf("seed %d: nodes: %v\nours:  %v\n%s", *seed+uint64(i), nodeErr, err, text)
		}
		// The older one converts version 1 in the main file; nothing else differs.
		if (err == nil) != (olderErr == nil) && !strings.Contains(text, "[registries.") {
			t.Errorf("seed %d: older nodes: %v\nours:  %v\n%s", *seed+uint64(i), olderErr, err, text)
		}
		if err != nil {
			if _, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || !strings.Contains(err.Error(), conf) {
				t.Errorf("seed %d: %v names no file", *seed+uint64(i), err)
			}
			refused++
		} else if nodeErr == nil {
			loaded++
			for _, image := range confImages() {
				ref, err := normalize(image)
				if err != nil {
					t.Fatal(err)
				}
				want, err := n.ask(ref)
				if err != nil {
					t.Fatal(err)
				}
				got, err := ask(rules, image)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("seed %d: %s\nnodes: %+v\nours:  %+v, %v\n%s", *seed+uint64(i), image, want, got, err, text)
				}
				asked++
				if len(want.candidates) > 1 {
					mirrored++
				}
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		sysregistriesv2.InvalidateCache()
		sr536.InvalidateCache()
		if t.Failed() {
			break
		}
	}
	t.Logf("%d files loaded, %d refused; %d images asked about, %d with several candidates", loaded, refused, asked, mirrored)
	if *sets >= 300 && (loaded < *sets/4 || refused < *sets/10 || mirrored < asked/20) {
		t.Error("the files ask about too little")
	}
}

func rulesOf(t *testing.T, conf string) (*policy.Rules, error) {
	t.Helper()
	src, err := file.Open(conf, file.Config{})
	if err != nil {
		return nil, err
	}
	p, err := src.Load(t.Context())
	if err != nil {
		return nil, err
	}
	return policy.NewRules(policy.RulesConfig{}, p)
}

// confImages returns images in, beside and above what a writer names.
func confImages() (out []string) {
	digest := "@sha256:" + strings.Repeat("0", 64)
	for _, name := range []string{
		"a.io/w", "a.io/x/w", "a.io/x/y", "a.io/x/y/w", "b.a.io/w", "b.a.io:5000/w", "c.b.a.io/w", "c.io/z/w", "c.io/z/m/w", "e.c.io/w", "m.io:5000/p/w", "m1.io/w", "other.io/w",
	} {
		out = append(out, name+":v1", name+digest)
	}
	return out
}

// writer writes files with a mistake in every so many percent of the places for
// one.
type writer struct {
	*rand.Rand
	mistakes int
}

func (w writer) of(from ...string) string { return from[w.IntN(len(from))] }
func (w writer) wrong() bool              { return w.IntN(100) < w.mistakes }
func (w writer) in(n int) bool            { return w.IntN(n) == 0 }

// files writes a registries.conf and its drop-ins into dir and returns all text.
func (w writer) files(t *testing.T, dir string) string {
	t.Helper()
	conf := filepath.Join(dir, "registries.conf")
	if err := os.MkdirAll(conf+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	put := func(path string) {
		text := "# of the site\n" + w.text()
		fmt.Fprintf(&all, "--- %s\n%s", filepath.Base(path), text)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(conf)
	for i := range w.IntN(3) {
		put(filepath.Join(conf+".d", fmt.Sprintf("%02d%s", i, w.of(".conf", ".conf", ".conf", ".conf.bak"))))
	}
	return all.String()
}

func (w writer) text() string {
	var b strings.Builder
	if w.in(4) {
		b.WriteString(w.of("unqualified-search-registries = ['x.io']\n", "unqualified-search-registries = ['x', 'localhost:5000', 'x.io/', 'X.io', 'x-y.io:1']\n", "short-name-mode = 'enforcing'\n"))
	}
	if w.wrong() {
		b.WriteString(w.of("unqualified-search-registries = 'x.io'\n", "unqualified-search-registries = ['x.io/y']\n", "unqualified-search-registries = ['https://x.io']\n",
			"unqualified-search-registries = ['']\n", "unqualified-search-registries = ['[::1]:5000']\n", "unqualified-search-registries = ['x_y.io']\n", "unqualified-search-registries = ['-x.io']\n", "unqualified-search-registries = ['x.io:']\n", "unqualified-search-registries = [1]\n",
			"short-name-mode = 'enforced'\n", "short-name-mode = ''\n", "short-name-mode = 1\n", "credential-helpers = 'x'\n", "additional-layer-store-auth-helper = 1\n"))
	}
	if w.wrong() {
		b.WriteString(w.of("surprise = 1\n", "registry = 1\n", "[registries.search]\nregistries = ['a.io']\n", "[registries.block]\nregistries = []\n", "[registries.search]\n", "[registries]\n", "x = [\n"))
	}
	for range w.IntN(5) {
		w.table(&b)
	}
	if w.in(4) || w.wrong() {
		fmt.Fprintf(&b, "[aliases]\n%q = %q\n", w.of("x", "x/y", "x-y"), w.of("a.io/x", "localhost/x", "a.io:5000/x/y", ""))
	}
	if w.wrong() {
		b.WriteString(w.of("[aliases]\n", "[aliases]\n", "[[aliases]]\n"))
		fmt.Fprintf(&b, "%q = %s\n", w.of("z", "z:1", "a.io/z", "localhost/z", "Z", "z@"), w.of("'a.io/x:1'", "'x'", "'x/y'", "1", "'https://a.io/x'", "'A.io/X'", "'docker.io/x'", "'a.io/'"))
	}
	return b.String()
}

func (w writer) table(b *strings.Builder) {
	name := func() string {
		return w.of("a.io", "a.io/x", "a.io/x/", "a.io/x/y", "*.a.io", "b.a.io", "b.a.io:5000", "c.io/", "c.io/z", "*.c.io", "m.io:5000/p")
	}
	b.WriteString("[[registry]]\n")
	prefix := w.in(2)
	if prefix {
		fmt.Fprintf(b, "prefix = %q\n", name())
	}
	if !prefix && !w.wrong() || prefix && !w.in(3) {
		location := name()
		if w.wrong() {
			location = w.of("", "/", "https://a.io", "http://", "*.a.io/x", "*.a.io:50", "HTTP://a")
		}
		fmt.Fprintf(b, "location = %q\n", location)
	}
	for _, flag := range []string{"blocked", "insecure"} {
		if w.in(4) {
			fmt.Fprintf(b, "%s = %t\n", flag, !w.in(3))
		}
	}
	digests := w.in(4)
	if digests {
		b.WriteString("mirror-by-digest-only = true\n")
	}
	if w.wrong() {
		b.WriteString(w.of("pull-from-mirror = 'all'\n", "bloked = true\n", "mirror = 'm.io'\n", "pull-from-mirror = ''\n", "Blocked = 1\n"))
	}
	for range w.IntN(4) {
		b.WriteString("[[registry.mirror]]\n")
		if !w.wrong() {
			fmt.Fprintf(b, "location = %q\n", w.of("m1.io", "m2.io/p/", "m3.io:5000/q", "a.io/m", "c.io/z/m", "b.a.io"))
		}
		if !digests && w.in(2) || w.wrong() {
			fmt.Fprintf(b, "pull-from-mirror = %q\n", w.of("all", "digest-only", "tag-only", ""))
		}
		if w.in(4) {
			b.WriteString("insecure = true\n")
		}
		if w.wrong() {
			b.WriteString(w.of("pull-from-mirrors = 'x'\n", "prefix = 'x.io'\n", "blocked = true\n", "insecure = 'x'\n"))
		}
	}
}

package file_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

func TestSpec(t *testing.T) {
	t.Chdir(t.TempDir())
	schemes, err := sources.NewSchemes(sources.Factory{Scheme: "env", Open: func(context.Context, string) (policy.OverrideSource, error) { return nil, nil }})
	must(t, err)
	write(t, "there:x", "")
	for in, want := range map[string]string{
		"env:X": "env:X", "idms.yaml": "file:idms.yaml", "dir/": "file:dir/", "./a:b": "file:./a:b", "a.yaml:1": "file:a.yaml:1",
		"/abs:x": "file:/abs:x", "-": "file:-", "nosuch:x": "nosuch:x", "there:x": "file:there:x",
	} {
		if got := file.Spec(in, schemes); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What somebody holds reads as the file with the same text does.
func TestParse(t *testing.T) {
	for name, tc := range map[string]struct{ text, rule, warning string }{
		"YAML":     {idms("a", "a.io", "m.io"), "a.io configmap/x:6 imagedigestmirrorset/a#1", ""},
		"TOML":     {"[[registry]]\nlocation = \"b.io\"\n", "b.io configmap/x:1 [[registry]]#1", ""},
		"document": {overrides(t, "c.io", "m.io"), "c.io imagedigestmirrorset/a#1", ""},
		"nothing":  {"# no more\n", "", "no rules come from configmap/x"},
	} {
		p, err := file.Parse("configmap/x", []byte(tc.text))
		must(t, err)
		if got := strings.Join(sourcesOf("\x00", p), ", "); got != tc.rule {
			t.Errorf("%s: got %q, want %q", name, got, tc.rule)
		}
		if got := len(p.Warnings) > 0 && strings.Contains(p.Warnings[0].Message, tc.warning); got != (tc.warning != "") {
			t.Errorf("%s: warnings %v", name, p.Warnings)
		}
	}
	_, err := file.Parse("configmap/x", []byte("a: [\n"))
	if wrong, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || !strings.HasPrefix(wrong.Origin, "configmap/x:") {
		t.Errorf("got %v", err)
	}
}

// FuzzParse checks that any text is read, or refused with a word on where.
func FuzzParse(f *testing.F) {
	f.Add([]byte(idms("a", "a.io", "m.io")))
	f.Add([]byte("[[registry]]\nlocation = \"b.io\"\n"))
	f.Add([]byte(`{"kind":"MirrorchainOverrides","version":1}`))
	f.Add([]byte(idms("a", "a.io", "m.io") + "---\nkind: ImageDigestMirrorSet\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := file.Parse("x", data)
		if err == nil {
			return
		}
		if wrong, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || wrong.Origin == "" {
			t.Fatalf("%v is no InvalidPolicyError that says where", err)
		}
		if len(p.Rules)+len(p.Insecure)+len(p.Blocked) > 0 {
			t.Fatalf("half a policy comes with %v", err)
		}
	})
}

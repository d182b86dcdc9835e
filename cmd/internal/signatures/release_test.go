package signatures

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mirrorchain/mirrorchain/internal/test/signing"
)

// configMap returns one with the annotation that a release's keyrings have.
func configMap(t *testing.T, data map[string]string) string {
	t.Helper()
	out, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{"name": "release-verification", "annotations": map[string]string{keysAnnotation: "true"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The keyrings of a release are those of its first ConfigMap with the annotation, also where
// that is broken: a later one must not stand in for it.
func TestReleaseKeyrings(t *testing.T) {
	alice, bob := string(signing.NewGPG(t, "alice").Public(t)), string(signing.NewGPG(t, "bob").Public(t))
	first := configMap(t, map[string]string{"verifier-public-key-b": bob, "verifier-public-key-a": alice, "store-x": "https://x"})
	second := configMap(t, map[string]string{"verifier-public-key-c": bob})
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // names of keyrings, or a part of the error
		fails bool
	}{
		{"one", map[string]string{"0_other.yaml": "kind: ConfigMap\n", "5_keys.yaml": first}, "r 5_keys.yaml verifier-public-key-a, r 5_keys.yaml verifier-public-key-b", false},
		{"the first of two", map[string]string{"2_b.yaml": second, "1_a.yaml": first}, "r 1_a.yaml verifier-public-key-a, r 1_a.yaml verifier-public-key-b", false},
		{"the first of two in one file", map[string]string{"1.yaml": second + "\n---\n" + first}, "r 1.yaml verifier-public-key-c", false},
		{"another kind has the annotation", map[string]string{"1.yaml": strings.Replace(first, `"ConfigMap"`, `"Secret"`, 1), "2.yaml": second}, "r 2.yaml verifier-public-key-c", false},
		{"a comment names the annotation", map[string]string{"1.yaml": "# " + keysAnnotation + "\nkind: ConfigMap\n", "2.yaml": second}, "r 2.yaml verifier-public-key-c", false},
		{"the first has no key", map[string]string{"1.yaml": configMap(t, map[string]string{"store-x": "https://x"}), "2.yaml": second}, "r 1.yaml: the ConfigMap has no key verifier-public-key-*", true},
		{"a key of the first is broken", map[string]string{"1.yaml": configMap(t, map[string]string{"verifier-public-key-a": alice, "verifier-public-key-b": bob[:len(bob)/2]}), "2.yaml": second}, "r 1.yaml verifier-public-key-b", true},
		{"the first is no YAML", map[string]string{"1.yaml": keysAnnotation + ": [", "2.yaml": second}, "r 1.yaml: ", true},
		{"none", map[string]string{"1.yaml": "kind: ConfigMap\n"}, "r: no manifest is a ConfigMap with the annotation " + keysAnnotation, true},
		{"nothing", nil, "r: no manifest", true},
	} {
		files := fstest.MapFS{"dir/1.yaml": {Data: []byte(second)}} // which is no manifest
		for name, text := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		trust, err := ReleaseKeyrings("r", files)
		var names []string
		for _, k := range trust.Keyrings() {
			names = append(names, k.Name())
		}
		got := strings.Join(names, ", ")
		switch {
		case c.fails && (err == nil || !strings.Contains(err.Error(), c.want) || got != ""):
			t.Errorf("%s: %q, %v; want the error %q", c.name, got, err, c.want)
		case !c.fails && (err != nil || got != c.want):
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// in returns a home with a config.yaml of that text, and its environment.
func in(t *testing.T, text string, env map[string]string) (home string, getenv func(string) string) {
	t.Helper()
	home = t.TempDir()
	folder := filepath.Join(home, ".config", "mirrorchain")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "config.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return home, func(name string) string {
		if name == "HOME" {
			return home
		}
		return strings.ReplaceAll(env[name], "HOME", home)
	}
}

const full = `# for every run
sources:
- cluster:
- policies/
- file:/etc/idms.yaml
authfile: ~/pull-secret.json
certDirs: [/etc/certs.d]
certificateAuthority: ca.pem
cacheDir: /var/cache/mirrorchain
`

func TestFile(t *testing.T) {
	home, getenv := in(t, full, nil)
	got, err := Load(getenv)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, ".config/mirrorchain/config.yaml")
	want := Settings{
		File: file, Exists: true,
		Sources:              List{[]string{"cluster:", filepath.Join(home, ".config/mirrorchain/policies"), "file:/etc/idms.yaml"}, file + ":2"},
		Authfile:             Text{filepath.Join(home, "pull-secret.json"), file + ":6"},
		CertDirs:             List{[]string{"/etc/certs.d"}, file + ":7"},
		CertificateAuthority: Text{filepath.Join(home, ".config/mirrorchain/ca.pem"), file + ":8"},
		CacheDir:             Text{"/var/cache/mirrorchain", file + ":9"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The environment wins over the file.
func TestEnvironment(t *testing.T) {
	_, getenv := in(t, full, map[string]string{SourceVariable: "idms.yaml, env:X", AuthfileVariable: "auth.json", CacheDirVariable: "cache"})
	got, err := Load(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if want := (List{[]string{"idms.yaml", "env:X"}, "$MIRRORCHAIN_SOURCE"}); !reflect.DeepEqual(got.Sources, want) {
		t.Errorf("sources %+v, want %+v", got.Sources, want)
	}
	if got.Authfile != (Text{"auth.json", "$REGISTRY_AUTH_FILE"}) || got.CacheDir != (Text{"cache", "$MIRRORCHAIN_CACHE_DIR"}) {
		t.Errorf("%+v", got)
	}
}

func TestNothing(t *testing.T) {
	for name, c := range map[string]struct{ text, file string }{
		"empty": {"", ""}, "comments": {"# nothing\n", ""}, "no file": {"", "HOME/none/../.config"},
	} {
		_, getenv := in(t, c.text, map[string]string{"XDG_CONFIG_HOME": c.file})
		got, err := Load(getenv)
		if err != nil || len(got.Sources.Values) != 0 || got.Authfile.From != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := Load(func(string) string { return "" }); err != nil || got.File != "" {
		t.Errorf("without a home: %+v, %v", got, err)
	}
}

// Errors name the file, the line and what is wrong.
func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"sources: cluster:\nauthfil: x\n": "config.yaml: ",
		"authfil: x\n":                    "line 1: field authfil not found",
		"sources: [-]\n":                  `config.yaml:1: sources: "-" is no source for every run`,
		"\nsources: ['']\n":               `config.yaml:2: sources: "" is no source`,
		"certDirs: ['']\n":                "config.yaml:1: certDirs: an entry is empty",
		"- a\n":                           "config.yaml: ",
		"\t:\x00":                         "config.yaml: ",
		strings.Repeat("#", maxSize+1):    "more than",
	} {
		_, getenv := in(t, text, nil)
		if _, err := Load(getenv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	_, getenv := in(t, "", map[string]string{FileVariable: "HOME/none.yaml"})
	if _, err := Load(getenv); err == nil {
		t.Error("a file that is named and not there is no error")
	}
	_, getenv = in(t, "", map[string]string{SourceVariable: "a,,b"})
	if _, err := Load(getenv); err == nil || !strings.Contains(err.Error(), "an entry is empty") {
		t.Errorf("%v", err)
	}
}

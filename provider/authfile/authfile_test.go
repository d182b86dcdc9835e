package authfile

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// The test's own binary stands in for credential helpers: linked to as
// docker-credential-NAME it behaves as NAME says, and notes each call.
func TestMain(m *testing.M) {
	if helper, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "docker-credential-"); ok {
		os.Exit(fakeHelper(helper))
	}
	os.Exit(m.Run())
}

func fakeHelper(name string) int {
	server, _ := io.ReadAll(os.Stdin)
	if log, err := os.OpenFile(os.Getenv("HELPER_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		fmt.Fprintf(log, "%s %s %s\n", name, os.Args[1], server)
		log.Close()
	}
	switch name {
	case "good":
		fmt.Printf(`{"ServerURL":%q,"Username":"helper","Secret":"of-%s"}`, server, server)
	case "token":
		fmt.Printf(`{"Username":"<token>","Secret":"refresh"}`)
	case "none":
		fmt.Println("credentials not found in native keychain")
		return 1
	case "broken":
		fmt.Println("s3cr3t on stdout")
		fmt.Fprintln(os.Stderr, "s3cr3t on stderr")
		return 3
	case "garbage":
		fmt.Println("s3cr3t that is no JSON")
	case "nouser":
		fmt.Println(`{"Secret":"s3cr3t"}`)
	case "hangs":
		never := make(chan os.Signal, 1)
		signal.Notify(never, syscall.SIGHUP)
		<-never
	case "endless":
		for {
			if _, err := fmt.Println(strings.Repeat("s3cr3t", 1000)); err != nil {
				return 1
			}
		}
	case "parent": // answers, and leaves a child behind that holds its output open
		child := exec.Command("docker-credential-hangs", "get")
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			return 4
		}
		if err := os.WriteFile(os.Getenv("HELPER_LOG")+".child", []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
			return 5
		}
		fmt.Printf(`{"ServerURL":%q,"Username":"helper","Secret":"of-%s"}`, server, server)
	}
	return 0
}

type world struct {
	t    *testing.T
	dir  string
	env  map[string]string
	conf Config
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), env: make(map[string]string)}
	w.env["HOME"] = filepath.Join(w.dir, "home")
	w.conf = Config{
		LookupEnv: func(k string) (string, bool) { v, ok := w.env[k]; return v, ok },
		RunDir:    filepath.Join(w.dir, "run"), UID: 1234,
	}
	return w
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// helpers puts fake helpers on the PATH and returns the log of their calls.
func (w *world) helpers(names ...string) (calls func() string) {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	bin := filepath.Join(w.dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		w.t.Fatal(err)
	}
	for _, n := range names {
		if err := os.Symlink(self, filepath.Join(bin, "docker-credential-"+n)); err != nil {
			w.t.Fatal(err)
		}
	}
	log := filepath.Join(w.dir, "calls")
	w.t.Setenv("PATH", bin)
	w.t.Setenv("HELPER_LOG", log)
	return func() string {
		b, _ := os.ReadFile(log)
		return string(b)
	}
}

func auths(entries ...string) string {
	var parts []string
	for _, e := range entries {
		key, user, _ := strings.Cut(e, "=")
		parts = append(parts, fmt.Sprintf("%q:{\"auth\":%q}", key, base64.StdEncoding.EncodeToString([]byte(user+":s3cr3t"))))
	}
	return `{"auths":{` + strings.Join(parts, ",") + `}}`
}

// user returns the user name found for ref, "" for none.
func (w *world) user(ref string) string {
	w.t.Helper()
	r := imageref.MustParse(ref)
	found, err := Find(w.t.Context(), w.conf, r)
	if err != nil {
		w.t.Fatal(err)
	}
	c, _ := found.Credentials.For(r)
	name, _, _ := c.Basic()
	return name
}

func TestFirstFileWithAnEntryWins(t *testing.T) {
	w := newWorld(t)
	// From last to first: each new file takes over for quay.io, and the one
	// before it keeps serving the registry that only it knows.
	order := []struct {
		name string
		set  func(path string)
	}{
		{"home/.docker/config.json", nil},
		{"docker/config.json", func(p string) { w.env["DOCKER_CONFIG"] = filepath.Dir(p) }},
		{"home/.config/containers/auth.json", nil},
		{"run/containers/1234/auth.json", nil},
		{"xdgrun/containers/auth.json", func(string) { w.env["XDG_RUNTIME_DIR"] = filepath.Join(w.dir, "xdgrun") }},
		{"env.json", func(p string) { w.env["REGISTRY_AUTH_FILE"] = p }},
		{"flag.json", func(p string) { w.conf.Authfile = p }},
	}
	for i, o := range order {
		p := w.write(o.name, auths(fmt.Sprintf("quay.io=u%d", i), fmt.Sprintf("only%d.example.com=o%d", i, i)))
		if o.set != nil {
			o.set(p)
		}
		if got, want := w.user("quay.io/a/b:1"), fmt.Sprintf("u%d", i); got != want {
			t.Errorf("with %s: user %q, want %q", o.name, got, want)
		}
		for j := range i + 1 {
			if got, want := w.user(fmt.Sprintf("only%d.example.com/x:1", j)), fmt.Sprintf("o%d", j); got != want {
				t.Errorf("with %s: user of only%d %q, want %q", o.name, j, got, want)
			}
		}
	}
	w.env["XDG_CONFIG_HOME"] = filepath.Join(w.dir, "xdgconf")
	w.write("xdgconf/containers/auth.json", auths("xdg.example.com=x"))
	if got := w.user("xdg.example.com/x"); got != "x" {
		t.Errorf("XDG_CONFIG_HOME: user %q, want x", got)
	}
	if got := w.user("only2.example.com/x"); got != "" {
		t.Errorf("the default of XDG_CONFIG_HOME was read although it is set: user %q", got)
	}
}

func TestWholeComponentsLongestMatch(t *testing.T) {
	w := newWorld(t)
	w.conf.Authfile = w.write("a.json", auths("quay.io=host", "quay.io/ns=ns", "quay.io/ns/repo=repo", "quay.io:8443=port"))
	for ref, want := range map[string]string{
		"quay.io/other/x":    "host",
		"quay.io/ns/x":       "ns",
		"quay.io/nsx/x":      "host",
		"quay.io/ns/repo:1":  "repo",
		"quay.io/ns/repox:1": "ns",
		"quay.io:8443/ns/x":  "port",
		"quay.io:9443/ns/x":  "",
		"xquay.io/ns/x":      "",
	} {
		if got := w.user(ref); got != want {
			t.Errorf("%s: user %q, want %q", ref, got, want)
		}
	}
}

func TestOnlyWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	w.conf.Authfile = w.write("a.json", auths("quay.io=q", "other.example.com=o"))
	found, err := Find(t.Context(), w.conf, imageref.MustParse("quay.io/a/b:1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"other.example.com/a/b", "quay.io/a/c"} {
		if _, ok := found.Credentials.For(imageref.MustParse(ref)); ok {
			t.Errorf("credentials of %s are in the set, which nobody asked for", ref)
		}
	}
	if len(found.Files) != 1 {
		t.Errorf("read %v; the first file has the answer", found.Files)
	}
}

// One odd entry is left out and named, and the others count.
func TestOddEntries(t *testing.T) {
	ref := imageref.MustParse("good.test/a/b:1")
	for name, c := range map[string]struct{ content, warning string }{
		"base64":        {`"auths":{"quay.io":{"auth":"s3cr3t!"},%s}`, `auths["quay.io"]: auth: not base64`},
		"a wildcard":    {`"auths":{"*.quay.io":{"auth":"dTpw"},%s}`, `auths["*.quay.io"]: it names no registry`},
		"helper path":   {`"credHelpers":{"quay.io":"../x"},"auths":{%s}`, `credHelpers["quay.io"]: want the NAME`},
		"two keys":      {`"credHelpers":{"quay.io":"a","https://quay.io/v1/":"b"},"auths":{%s}`, `credHelpers["https://quay.io/v1/"]: a second entry for quay.io`},
		"user in key":   {`"credHelpers":{"https://u:s3cr3t@quay.io":"../x"},"auths":{%s}`, `credHelpers["...@quay.io"]`},
		"users in keys": {`"credHelpers":{"https://u:s3cr3t@quay.io":"a","http://u:s3cr3t@quay.io":"b"},"auths":{%s}`, `credHelpers["...@quay.io"]: a second entry`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			path := w.write("home/.docker/config.json", "{"+fmt.Sprintf(c.content, `"good.test":{"auth":"dTpw"}`)+"}")
			found, err := Find(t.Context(), w.conf, ref)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := found.Credentials.For(ref); !ok {
				t.Error("the good entry is lost")
			}
			if len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0], c.warning) || !strings.Contains(found.Warnings[0], path) || strings.Contains(found.Warnings[0], "s3cr3t") {
				t.Errorf("warnings %q, want %q and the path", found.Warnings, c.warning)
			}
		})
	}
}

// A file without end is refused.
func TestEndlessFile(t *testing.T) {
	w := newWorld(t)
	w.conf.Authfile = "/dev/zero"
	if _, err := Find(t.Context(), w.conf, imageref.MustParse("quay.io/a/b:1")); err == nil || !strings.Contains(err.Error(), "more than 16777216 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	ref := imageref.MustParse("quay.io/a/b:1")
	for name, c := range map[string]struct {
		content string
		want    string
	}{
		"syntax":       {`{"auths":{"quay.io":{"auth":"s3cr3t"`, "not a docker config JSON"},
		"helpers type": {`{"credHelpers":"s3cr3t"}`, "credHelpers must map"},
		"store path":   {`{"credsStore":"/bin/s3cr3t"}`, "credsStore: want the NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			path := w.write("home/.docker/config.json", c.content)
			_, err := Find(t.Context(), w.conf, ref)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v; want %q and the path", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
	t.Run("named and missing", func(t *testing.T) {
		w := newWorld(t)
		missing := filepath.Join(w.dir, "missing.json")
		w.conf.Authfile = missing
		if _, err := Find(t.Context(), w.conf, ref); err == nil || !strings.Contains(err.Error(), "--authfile") || !strings.Contains(err.Error(), missing) {
			t.Errorf("--authfile: %v", err)
		}
		w.conf.Authfile = ""
		w.env["REGISTRY_AUTH_FILE"] = missing
		if _, err := Find(t.Context(), w.conf, ref); err == nil || !strings.Contains(err.Error(), "REGISTRY_AUTH_FILE") {
			t.Errorf("REGISTRY_AUTH_FILE: %v", err)
		}
	})
	t.Run("nothing anywhere", func(t *testing.T) {
		w := newWorld(t)
		w.env["HOME"] = "/dev/null"
		w.conf.Authfile = "/dev/null"
		found, err := Find(t.Context(), w.conf, ref)
		if err != nil || !found.Credentials.IsZero() {
			t.Errorf("%v, %v; want anonymous", found, err)
		}
		if len(found.Uses) != 1 || found.Uses[0].File != "" {
			t.Errorf("uses %+v", found.Uses)
		}
	})
}

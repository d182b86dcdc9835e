package authfile

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A helper that prints without end is ended, and one that has answered has answered,
// whatever it has left running: that is ended too.
func TestHelpersAreContained(t *testing.T) {
	ref := imageref.MustParse("quay.io/a/b:1")
	w := newWorld(t)
	w.helpers("endless", "parent", "hangs")
	w.conf.Authfile = w.write("a.json", `{"credHelpers":{"quay.io":"endless"}}`)
	found, err := Find(t.Context(), w.conf, ref)
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(found.Warnings, "\n"); !strings.Contains(all, "its answer has more than 262144 bytes") || strings.Contains(all, "s3cr3t") {
		t.Errorf("warnings %q", all)
	}

	w.conf.Authfile = w.write("a.json", `{"credHelpers":{"quay.io":"parent"}}`)
	if got := w.user(ref.String()); got != "helper" {
		t.Errorf("user %q, want the helper's", got)
	}
	text, err := os.ReadFile(os.Getenv("HELPER_LOG") + ".child")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") { // nobody may wait for it here
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("what the helper left behind still runs")
		}
	}
}

func TestHelpers(t *testing.T) {
	w := newWorld(t)
	calls := w.helpers("good", "none", "token")
	w.conf.Authfile = w.write("a.json", `{
		"auths": {"a.example.com/ns": {"username":"path","password":"p"}, "a.example.com": {"username":"host","password":"p"}, "b.example.com": {}},
		"credHelpers": {"a.example.com": "good", "https://index.docker.io/v1/": "good", "c.example.com": "none", "d.example.com":"token", "unasked.example.com": "good"},
		"credsStore": "none"}`)
	w.write("home/.docker/config.json", auths("c.example.com=later"))

	refs := []imageref.Ref{
		imageref.MustParse("a.example.com/x/y:1"), imageref.MustParse("a.example.com/x/z:1"),
		imageref.MustParse("a.example.com/ns/z:1"), imageref.MustParse("alpine"),
		imageref.MustParse("b.example.com/x:1"), imageref.MustParse("c.example.com/x:1"), imageref.MustParse("d.example.com/x:1"),
	}
	found, err := Find(t.Context(), w.conf, refs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"helper", "helper", "path", "helper", "", "later", ""} {
		c, _ := found.Credentials.For(refs[i])
		if got, _, _ := c.Basic(); got != want {
			t.Errorf("%s: user %q, want %q", refs[i], got, want)
		}
	}
	if c, _ := found.Credentials.For(refs[6]); c.IdentityToken() != "refresh" {
		t.Errorf("%s: no identity token", refs[6])
	}
	want := "good get a.example.com\ngood get https://index.docker.io/v1/\nnone get b.example.com\nnone get c.example.com\ntoken get d.example.com\n"
	if got := calls(); got != want {
		t.Errorf("helpers were run so:\n%swant:\n%s", got, want)
	}
	if u := found.Uses[0]; u.Helper != "good" || u.Entry != "a.example.com" || u.File != w.conf.Authfile {
		t.Errorf("use %+v", u)
	}
	if len(found.Warnings) != 0 {
		t.Errorf("warnings %q", found.Warnings)
	}
}

// A helper for a part of a registry is not asked for the whole of it.
func TestHelperKeysWithPaths(t *testing.T) {
	for content, want := range map[string]struct{ user, warning string }{
		`{"credHelpers":{"quay.io/team-a":"good"}}`:                              {"later", `credHelpers["quay.io/team-a"]: ignored`},
		`{"credHelpers":{"quay.io/team-a":"broken","quay.io":"good"}}`:           {"helper", `credHelpers["quay.io/team-a"]: ignored`},
		`{"credHelpers":{"https://u:s3cr3t@quay.io/a":"broken"}}`:                {"later", ""},
		`{"credHelpers":{"https://quay.io/v2/team-a/":"good"}}`:                  {"later", `credHelpers["https://quay.io/v2/team-a/"]: ignored`},
		`{"credHelpers":{"https://quay.io/v2/":"good"}}`:                         {"helper", ""},
		`{"credHelpers":{"quay.io/":"good"}}`:                                    {"helper", ""},
		`{"credHelpers":{"quay.io":"good","quay.io:8443/x":"broken"}}`:           {"helper", ""},
		`{"credHelpers":{"unasked.example.com/x":"broken"},"credsStore":"good"}`: {"helper", ""},
	} {
		w := newWorld(t)
		w.helpers("good", "broken")
		w.conf.Authfile = w.write("a.json", content)
		w.write("home/.docker/config.json", auths("quay.io=later"))
		ref := imageref.MustParse("quay.io/team-a/b:1")
		for range 8 { // no order of a map decides
			found, err := Find(t.Context(), w.conf, ref, imageref.MustParse("quay.io/team-a/c:1"))
			if err != nil {
				t.Fatal(err)
			}
			c, _ := found.Credentials.For(ref)
			if user, _, _ := c.Basic(); user != want.user {
				t.Errorf("%s: user %q, want %q", content, user, want.user)
			}
			all := strings.Join(found.Warnings, "\n")
			if (want.warning == "") != (all == "") || len(found.Warnings) > 1 || !strings.Contains(all, want.warning) || strings.Contains(all, "s3cr3t") {
				t.Errorf("%s: warnings %q, want %q", content, found.Warnings, want.warning)
			}
			if all != "" && !strings.Contains(all, w.conf.Authfile) {
				t.Errorf("%s: %q does not name the file", content, all)
			}
		}
	}
}

func TestFailingHelpers(t *testing.T) {
	ref := imageref.MustParse("quay.io/a/b:1")
	for name, want := range map[string]string{
		"broken": "failed (exit status 3)", "garbage": "not the JSON", "nouser": "no user name",
		"absent": "no such program", "hangs": "no answer within",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.helpers("broken", "garbage", "nouser", "hangs")
			if name == "hangs" {
				w.conf.HelperTimeout = 50 * time.Millisecond
			}
			w.write("home/.docker/config.json", auths("quay.io=later"))
			w.conf.Authfile = w.write("a.json", fmt.Sprintf(`{"credHelpers":{"quay.io":%q}}`, name))
			found, err := Find(t.Context(), w.conf, ref)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(found.Warnings, "\n"); !strings.Contains(all, want) || !strings.Contains(all, w.conf.Authfile) || strings.Contains(all, "s3cr3t") {
				t.Errorf("warnings %q; want %q, the file, and nothing secret", all, want)
			}
			if _, ok := found.Credentials.For(ref); ok || !found.Uses[0].Failed {
				t.Errorf("another file was asked in place of the helper named for this registry")
			}

			w.conf.Authfile = w.write("a.json", fmt.Sprintf(`{"credsStore":%q}`, name))
			if got := w.user(ref.String()); got != "later" {
				t.Errorf("a failing credsStore: user %q, want the next file's", got)
			}
		})
	}
}

func TestCancelledHelper(t *testing.T) {
	w := newWorld(t)
	w.helpers("hangs")
	w.conf.Authfile = w.write("a.json", `{"credsStore":"hangs"}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, w.conf, imageref.MustParse("quay.io/a/b:1")); err != context.Canceled {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

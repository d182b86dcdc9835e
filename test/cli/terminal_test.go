//go:build linux

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/internal/test/pty"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// desk is a site with three mirrors, of which the second has the release, and a source
// that is not to be contacted.
type desk struct {
	away, busy, good *testregistry.Registry
	policy           string
	release          testpayload.Release
	image            string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{release: testpayload.Release{Components: 12}}
	for _, reg := range []**testregistry.Registry{&d.away, &d.busy, &d.good} {
		r, err := testregistry.Start(testregistry.Config{PlainHTTP: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		*reg = r
	}
	digest := d.good.Push("ocp/release", "4.17.3-x86_64", testpayload.Must(d.release.Image()))
	d.image = "quay.io/openshift-release-dev/ocp-release@" + digest
	d.busy.Fail(testregistry.Match{}, testregistry.Status(404))
	d.away.Down()
	d.policy = fmt.Sprintf(`apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: mirrors}
spec:
  imageDigestMirrors:
  - source: quay.io/openshift-release-dev/ocp-release
    mirrors: [%s/ocp/release, %s/ocp/release, %s/ocp/release]
    mirrorSourcePolicy: NeverContactSource
---
apiVersion: config.openshift.io/v1
kind: Image
metadata: {name: cluster}
spec:
  registrySources: {insecureRegistries: [%[1]s, %[2]s, %[3]s]}
`, d.away.Host(), d.busy.Host(), d.good.Host())
	return d
}

// shown runs the command on a terminal and returns what was shown on stdout.
func (d *desk) shown(t *testing.T, columns int, env []string, args ...string) string {
	t.Helper()
	term := pty.Open(t, columns)
	cmd := exec.CommandContext(t.Context(), filepath.Join(binDir, "mirrorchain"), append(args, "-s", "-")...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir}, env...)
	cmd.Stdin = strings.NewReader(d.policy)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = term.Program, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := term.Read(nil)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out, &stderr)
	}
	return out
}

var utf8Locale = []string{"LANG=C.UTF-8", "TERM=xterm"}

var colour = regexp.MustCompile("\x1b\\[[0-9]+m")

// Tables fit every terminal, and say who has the image, wherever there is room for it.
func TestTerminalWidths(t *testing.T) {
	d := newDesk(t)
	for _, columns := range []int{40, 80, 120, 200} {
		for _, args := range [][]string{
			{"resolve", d.image}, {"explain", d.image}, {"explain", "--probe", d.image}, {"release", "info", d.image},
		} {
			out := colour.ReplaceAllString(d.shown(t, columns, utf8Locale, args...), "")
			_, rows, ok := strings.Cut(out, "#  ENDPOINT")
			if !ok {
				t.Errorf("%v, %d columns: no table in\n%s", args, columns, out)
			}
			rows, _, _ = strings.Cut(rows, "\n\n")
			for line := range strings.Lines(rows) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
					t.Errorf("%v: %d columns, there are %d: %s", args, n, columns, line)
				}
			}
			if strings.Contains(rows, "sha256:") {
				t.Errorf("%v, %d columns: the digest is in every line:\n%s", args, columns, out)
			}
			if strings.Contains(out, d.image) {
				t.Errorf("%v, %d columns: the digest is not short:\n%s", args, columns, out)
			}
			if want := "✓ found"; slices.Contains(args, "--probe") && !strings.Contains(rows, want) {
				t.Errorf("%v, %d columns: no %q in\n%s", args, columns, want, out)
			}
		}
	}
}

// What is only looked at fits every terminal too.
func TestTerminalTables(t *testing.T) {
	d := newDesk(t)
	next := "quay.io/openshift-release-dev/ocp-release@" + d.good.Push("ocp/release", "4.17.4-x86_64", testpayload.Must(nextRelease(d.release).Image()))
	for _, columns := range []int{40, 80, 120, 200} {
		for _, args := range [][]string{{"release", "diff", d.image, next}, {"release", "info", "--digests", d.image}} {
			out := colour.ReplaceAllString(d.shown(t, columns, utf8Locale, args...), "")
			for line := range strings.Lines(out) {
				n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n"))
				wraps := strings.HasPrefix(line, "Updates from ") || strings.Contains(line, "quay.io/") || strings.Contains(line, "https://")
				if n > columns && !wraps { // what is there to be copied, or all of a list, is never cut
					t.Errorf("%v: %d columns, there are %d: %s", args, n, columns, line)
				}
			}
			for _, want := range map[string][]string{"diff": {"4.17.3 → 4.17.4", "etcd", "newcomer"}, "info": {"hypershift"}}[args[1]] {
				if !strings.Contains(out, want) {
					t.Errorf("%v, %d columns: no %q in\n%s", args, columns, want, out)
				}
			}
		}
	}
}

// The environment decides about colours and marks; --full about digests.
func TestTerminalLook(t *testing.T) {
	d := newDesk(t)
	probe := []string{"explain", "--probe", d.image}
	short := d.image[:len("quay.io/openshift-release-dev/ocp-release")] + "  " + d.image[len("quay.io/openshift-release-dev/ocp-release@"):][:19]
	for name, c := range map[string]struct {
		env         []string
		args        []string
		want, avoid []string
	}{
		"colours":  {utf8Locale, probe, []string{"\x1b[32m✓ found\x1b[0m", "\x1b[31m✗ unreachable\x1b[0m", "\x1b[31m✗ not found\x1b[0m", "\x1b[33m– blocked\x1b[0m", short + "…"}, nil},
		"NO_COLOR": {append(utf8Locale, "NO_COLOR=1"), probe, []string{"✓ found"}, []string{"\x1b"}},
		"dumb":     {[]string{"LANG=C.UTF-8", "TERM=dumb"}, probe, []string{"✓ found"}, []string{"\x1b"}},
		"ASCII":    {[]string{"LC_ALL=C", "TERM=xterm"}, probe, []string{"+ found", "x unreachable", "- blocked", short + "..."}, []string{"✓", "…"}},
		"full":     {utf8Locale, append(probe, "--full"), []string{d.image[len("quay.io/openshift-release-dev/ocp-release@"):]}, []string{short + "…"}},
		"json":     {utf8Locale, append(probe, "-o", "json"), []string{d.image}, []string{"\x1b", "✓"}},
	} {
		out := d.shown(t, 120, c.env, c.args...)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
		for _, avoid := range c.avoid {
			if strings.Contains(out, avoid) {
				t.Errorf("%s: %q in\n%s", name, avoid, out)
			}
		}
	}
}

// Ctrl-C at the terminal ends a lookup that hangs. What was going on is shown before, in
// one line that is gone afterwards.
func TestTerminalInterrupt(t *testing.T) {
	d := newDesk(t)
	d.good.Fail(testregistry.Match{}, testregistry.Hang())
	term := pty.Open(t, 60)
	cmd := exec.CommandContext(t.Context(), filepath.Join(binDir, "mirrorchain"), "release", "info", "--insecure-registry", d.good.Host(), d.good.ByTag("ocp/release", "4.17.3-x86_64").String())
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir}, utf8Locale...)
	term.Control(cmd)
	cmd.Stdout, cmd.Stderr = term.Program, term.Program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	once := sync.OnceFunc(func() { _, _ = term.User.Write([]byte{3}) })
	out := term.Read(func(shown string) {
		if strings.Contains(shown, "looking up ") {
			once()
		}
	})
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 130 {
		t.Errorf("%v, want exit code 130", err)
	}
	const clear = "\r\x1b[K"
	i := strings.LastIndex(out, clear)
	if i < 0 || strings.Contains(out[i:], "looking up ") || !strings.Contains(out[i:], "interrupted") {
		t.Errorf("shown: %q", out)
	}
	for _, line := range strings.Split(out[:max(i, 0)], clear) {
		line = strings.TrimSuffix(line, "^C") // the terminal's echo
		if n := utf8.RuneCountInString(line); strings.Contains(line, "looking up ") && n >= 60 {
			t.Errorf("%d columns, there are 60: %q", n, line)
		}
	}
}

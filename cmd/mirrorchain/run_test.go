package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

// run is Run with an empty environment.
func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = runIn(ctx, nil, args, &out, &err)
	return code, out.String(), err.String()
}

func TestInterruptedIs130(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"resolve", "quay.io/a/b"}, {"release", "info", "quay.io/a/b"}, {"explain", "--probe", "quay.io/a/b"},
	} {
		code, stdout, stderr := run(ctx, args...)
		if code != exitInterrupted || stdout != "" || !strings.Contains(stderr, "interrupted") {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrorsFail(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"completion", "bash"}, {"resolve", "quay.io/a/b"}, {"explain", "quay.io/a/b"}} {
		var stderr bytes.Buffer
		if code := runIn(t.Context(), nil, args, fullDisk{}, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v: code %d, stderr %q", args, code, stderr.String())
		}
	}
}

// Every runnable command shows how it is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	a := &app{err: &lockedWriter{w: io.Discard}}
	root := a.root()
	cmds := root.Commands()
	for len(cmds) > 0 {
		c := cmds[0]
		cmds = append(cmds[1:], c.Commands()...)
		if c.HasSubCommands() || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s: no example or no short help", c.CommandPath())
		}
		if code, stdout, _ := run(t.Context(), append(strings.Fields(c.CommandPath())[1:], "--help")...); code != 0 || !strings.Contains(stdout, "Examples:") {
			t.Errorf("%s --help: code %d, %q", c.CommandPath(), code, stdout)
		}
	}
}

var someImage = imageref.MustParse("quay.io/a/b")

func classError(c provider.Class) error {
	return fmt.Errorf("outer: %w", &provider.Error{Class: c, Err: errors.New("x")})
}

func TestExitCodes(t *testing.T) {
	byClass := map[provider.Class]int{
		provider.ClassUnknown: 1, provider.ClassNotFound: 3, provider.ClassUnauthorized: 4, provider.ClassThrottled: 5,
		provider.ClassServer: 5, provider.ClassUnreachable: 5, provider.ClassTimeout: 5, provider.ClassTLS: 6,
		provider.ClassDigest: 7, provider.ClassForbidden: 8, provider.ClassLimit: 1, provider.ClassMalformed: 1, provider.ClassCanceled: 1,
	}
	for class, want := range byClass {
		if got := exitCode(classError(class)); got != want {
			t.Errorf("%s: %d, want %d", class, got, want)
		}
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"none":      {nil, 0},
		"plain":     {errors.New("x"), 1},
		"usage":     {fmt.Errorf("x: %w", usagef("y")), 2},
		"spec":      {fmt.Errorf("x: %w", &sources.SpecError{Spec: "a", Err: errors.New("y")}), 2},
		"policy":    {&policy.InvalidPolicyError{Err: errors.New("y")}, 1},
		"no rules":  {provider.ErrNoRules, 1},
		"deadline":  {context.DeadlineExceeded, 5},
		"reported":  {&failedLookup{code: 7}, 7},
		"not found": {&provider.Error{Class: provider.ClassNotFound}, 3},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// 7 before 4, 6, 5, 3, 1, 8, whichever attempt came first.
func TestWhereAttemptsDiffer(t *testing.T) {
	order := []provider.Class{
		provider.ClassDigest, provider.ClassUnauthorized, provider.ClassTLS,
		provider.ClassTimeout, provider.ClassNotFound, provider.ClassMalformed, provider.ClassForbidden,
	}
	codes := []int{7, 4, 6, 5, 3, 1, 8}
	for i := range order {
		for j := range order {
			attempts := []provider.Attempt{{Err: classError(order[i])}, {Err: classError(order[j])}}
			if got, want := attemptsCode(someImage, attempts), codes[min(i, j)]; got != want {
				t.Errorf("%s, %s: %d, want %d", order[i], order[j], got, want)
			}
		}
	}
	if got := attemptsCode(someImage, []provider.Attempt{{}, {Err: classError(provider.ClassNotFound)}}); got != 3 {
		t.Errorf("beside one that answered: %d, want 3", got)
	}
}

func TestClosest(t *testing.T) {
	names := []string{"etcd", "cli", "cli-artifacts", "machine-config-operator", "machine-os-content", "hypershift"}
	for in, want := range map[string]string{
		"etc":                    "etcd",
		"ectd":                   "etcd",
		"machine-config":         "machine-config-operator",
		"machine-config-operato": "machine-config-operator",
		"Hypershift":             "hypershift",
		"nothing-of-the-sort":    "",
	} {
		if got := strings.Join(closest(in, names), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What a release or a registry says cannot drive the terminal or fake a line.
func TestPrintable(t *testing.T) {
	if got, want := printable("a\x1b[31mb\r\u202ec\n\td\u00e9"), "a\\u001b[31mb\\u000d\\u202ec\n\td\u00e9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var out bytes.Buffer
	table(&out, "", [][]string{{"a\nb", "c"}, {"d", "e"}})
	if got, want := out.String(), "a\\nb  c\nd     e\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		source, ref string
		want        bool
	}{
		{"quay.io", "quay.io/a/b", true}, {"quay.io", "quay.io:443/a/b", true}, {"quay.io", "quay.iox/a/b", false},
		{"quay.io/a", "quay.io/a/b", true}, {"quay.io/a", "quay.io/ab", false}, {"quay.io/a/b", "quay.io/a/b:1", true},
		{"*.redhat.io", "registry.redhat.io:5000/a", true}, {"*.redhat.io", "redhat.io/a", false},
	} {
		if got := covers(c.source, imageref.MustParse(c.ref)); got != c.want {
			t.Errorf("%s, %s: %v", c.source, c.ref, got)
		}
	}
}

func TestWithScheme(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	reg, err := sources.NewSchemes(sources.Factory{Scheme: "env", Open: func(context.Context, string) (policy.OverrideSource, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"env:X": "env:X", "idms.yaml": "file:idms.yaml", "dir/": "file:dir/", "./a:b": "file:./a:b", "a.yaml:1": "file:a.yaml:1",
		"/abs:x": "file:/abs:x", "-": "file:-", "nosuch:x": "nosuch:x",
	} {
		if got := withScheme(in, reg); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestProgress(t *testing.T) {
	show := func(sys System, verbose bool, busy time.Duration) string {
		var out bytes.Buffer
		synctest.Test(t, func(*testing.T) {
			if sys.LookupEnv == nil {
				sys.LookupEnv = func(string) (string, bool) { return "", false }
			}
			a := &app{sys: sys, err: &lockedWriter{w: &out}, opts: options{verbose: verbose}}
			stop := a.progress("looking up %s", "x")
			<-time.After(busy)
			stop()
			stop()
		})
		return out.String()
	}
	dumb := func(name string) (string, bool) { return "dumb", name == "TERM" }
	for name, got := range map[string]string{
		"no terminal": show(System{}, false, time.Minute),
		"dumb":        show(System{Terminal: true, LookupEnv: dumb}, false, time.Minute),
		"verbose":     show(System{Terminal: true}, true, time.Minute),
		"a moment":    show(System{Terminal: true}, false, progressAfter/2),
	} {
		if got != "" {
			t.Errorf("%s: %q, want nothing", name, got)
		}
	}
	got := show(System{Terminal: true}, false, 3*time.Second)
	if !strings.Contains(got, "looking up x (3s)") || !strings.HasSuffix(got, clearLine) {
		t.Errorf("on a terminal: %q", got)
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, of int
		want     string
	}{
		{0, 191, "[>                       ] 0/191"},
		{95, 191, "[===========>            ] 95/191"},
		{191, 191, "[========================] 191/191"},
		{0, 0, "[========================] 0/0"},
	} {
		if got := bar(c.done, c.of); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.done, c.of, got, c.want)
		}
	}
}

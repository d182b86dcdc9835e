package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
)

// run does what Run does, with an empty environment.
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
		if code != failure.ExitInterrupted || stdout != "" || !strings.Contains(stderr, "interrupted") {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrorsFail(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"version", "-o", "json"}, {"completion", "bash"}, {"resolve", "quay.io/a/b"}, {"explain", "quay.io/a/b"}} {
		var stderr bytes.Buffer
		if code := runIn(t.Context(), nil, args, fullDisk{}, &stderr); code != failure.ExitFailed || !strings.Contains(stderr.String(), "no space left") {
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

// Progress is for terminals, and for nobody who reads what -v tells.
func TestProgress(t *testing.T) {
	dumb := func(name string) (string, bool) { return "dumb", name == "TERM" }
	none := func(string) (string, bool) { return "", false }
	columns := func() int { return 80 }
	for name, c := range map[string]struct {
		sys     System
		verbose bool
		want    bool
	}{
		"no terminal": {System{LookupEnv: none}, false, false},
		"dumb":        {System{Columns: columns, LookupEnv: dumb}, false, false},
		"verbose":     {System{Columns: columns, LookupEnv: none}, true, false},
		"terminal":    {System{Columns: columns, LookupEnv: none}, false, true},
	} {
		var out bytes.Buffer
		synctest.Test(t, func(*testing.T) {
			a := &app{sys: c.sys, err: &lockedWriter{w: &out}, opts: options{verbose: c.verbose}}
			stop := a.progress("looking up %s", "x")
			<-time.After(time.Minute)
			stop()
		})
		if got := strings.Contains(out.String(), "looking up x"); got != c.want {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}

// Reading a disk may take hours; only a limit that is named ends it.
func TestDiskHasNoTimeLimit(t *testing.T) {
	for _, c := range []struct {
		args []string
		want time.Duration
	}{
		{[]string{"check", "--from", "/missing"}, 0},
		{[]string{"check", "--from", "/missing", "--timeout", "2m"}, 2 * time.Minute},
		{[]string{"check", "/missing"}, defaultTimeout},
	} {
		a := &app{sys: System{Stdout: io.Discard, Stderr: io.Discard, LookupEnv: func(string) (string, bool) { return "", false }}, err: &lockedWriter{w: io.Discard}}
		root := a.root()
		root.SetArgs(c.args)
		if err := root.Execute(); err == nil || a.opts.timeout != c.want {
			t.Errorf("%v: %s, %v; want %s", c.args, a.opts.timeout, err, c.want)
		}
	}
}

package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// empty wants nothing left in dir.
func empty(t *testing.T, dir string) {
	t.Helper()
	remaining, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(remaining) > 0 {
		t.Errorf("left behind: %v", remaining)
	}
}

func TestUnexpectedExitCodeFails(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var out bytes.Buffer
	err := Run(t.Context(), Config{Out: &out, Run: func(_ context.Context, env map[string]string, args []string, stdout, _ io.Writer) int {
		if !strings.HasPrefix(env["HOME"], dir) || strings.Contains(strings.Join(args, " "), "$") {
			t.Errorf("environment %v, arguments %q", env, args)
		}
		_, _ = io.WriteString(stdout, env["HOME"]+"/x\n")
		return 42
	}})
	if err == nil || !strings.Contains(err.Error(), "exit code 42, not 0") {
		t.Errorf("error %v", err)
	}
	if strings.Contains(out.String(), dir) || !strings.Contains(out.String(), "$DEMO/x") {
		t.Errorf("the directory shows in %s", out.String())
	}
	empty(t, dir)
}

func TestEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	runs := 0
	err := Run(ctx, Config{Out: io.Discard, Run: func(context.Context, map[string]string, []string, io.Writer, io.Writer) int {
		runs++
		cancel()
		return 130
	}})
	if !errors.Is(err, context.Canceled) || runs != 1 {
		t.Errorf("error %v after %d commands", err, runs)
	}
	empty(t, dir)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrors(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	codes := []int{0, 0, 0, 3, 0, 7}
	err := Run(t.Context(), Config{Out: full{}, Run: func(context.Context, map[string]string, []string, io.Writer, io.Writer) int {
		code := codes[0]
		codes = codes[1:]
		return code
	}})
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

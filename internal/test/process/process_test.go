package process_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell starts a script that first says that it is there.
func shell(t *testing.T, script string) *process.Process {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	p, err := process.Start(process.Config{
		Path: sh, Args: []string{"-c", script}, Env: []string{"WORD=hello"}, Log: filepath.Join(t.TempDir(), "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestOutputAndExitCode(t *testing.T) {
	p := shell(t, `echo "$WORD"; echo err >&2; exit 3`)
	<-p.Done()
	if got := p.ExitCode(); got != 3 {
		t.Errorf("exit code %d, want 3", got)
	}
	if out, err := p.Output(); err != nil || string(out) != "hello\nerr\n" {
		t.Errorf("output %q, %v", out, err)
	}
	if !strings.Contains(p.Tail(), "sh wrote:\nhello\n") {
		t.Errorf("tail %q", p.Tail())
	}
	if err := p.Terminate(t.Context()); err != nil {
		t.Errorf("terminating what has ended: %v", err)
	}
}

func TestTerminate(t *testing.T) {
	p := shell(t, `exec cat /dev/zero > /dev/null`)
	if got := p.ExitCode(); got != -1 {
		t.Errorf("exit code %d while it runs", got)
	}
	if err := p.Terminate(t.Context()); err != nil {
		t.Error(err)
	}
	<-p.Done()
}

// What does not listen is killed, and that is told.
func TestTerminateDeaf(t *testing.T) {
	p := shell(t, `trap "" TERM; echo ready; while :; do :; done`)
	cluster.Await(t, "the trap", func(context.Context) error {
		if out, err := p.Output(); err != nil || len(out) == 0 {
			return fmt.Errorf("nothing is written: %v", err)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Terminate(ctx); err == nil || !strings.Contains(err.Error(), "sh does not end when asked to") {
		t.Errorf("got %v", err)
	}
	<-p.Done()
}

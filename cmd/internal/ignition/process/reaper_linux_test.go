package process_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	proctest "github.com/mirrorchain/mirrorchain/internal/test/process"
)

func newSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// helper runs the test program as a process of its own, until the test ends.
func helper(t *testing.T, mode string, w proctest.Watcher) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(spec(t, mode).Env, "ADDR="+w.Addr().String())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// A program does not outlive a server that is killed.
func TestDiesWithServer(t *testing.T) {
	w := proctest.Watch(t)
	server := helper(t, "server", w)
	program := w.Come()
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	w.Gone(program)
}

// A child that has left the process group by a session of its own is killed all the
// same once its program has ended, and the server goes on.
func TestReaper(t *testing.T) {
	w := proctest.Watch(t)
	helper(t, "reaping-server", w)
	daemon, program := w.Come(), w.Come()
	server := w.Come() // it connects when the program is over
	defer server.Close()
	w.Gone(daemon)
	w.Gone(program)
}

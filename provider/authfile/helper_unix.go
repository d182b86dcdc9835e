//go:build unix

package authfile

import (
	"os/exec"
	"syscall"
)

// endGroup makes cmd a process group of its own, which is killed as a whole when its
// context ends.
func endGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

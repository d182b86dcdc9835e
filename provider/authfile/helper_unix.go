//go:build unix

package authfile

import (
	"os/exec"
	"syscall"
)

// endGroup has the end of cmd be that of all it has started, too.
func endGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// attributes makes the program the head of a process group, which is killed as a whole.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// kill kills the group of cmd.
func kill(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

//go:build !unix

package process

import (
	"os/exec"
	"syscall"
)

// attributes has no process groups to offer: only the program itself is killed.
func attributes() *syscall.SysProcAttr { return nil }

// kill kills the program.
func kill(cmd *exec.Cmd) error { return cmd.Process.Kill() }

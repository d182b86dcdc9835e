package process

import (
	"os/exec"
	"syscall"
)

// attributes makes the program the head of a process group, which is killed as a whole,
// and has the kernel kill the program when the thread that started it ends: with this
// process at the latest, however that ends. Start keeps the thread for as long.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// kill kills the group of cmd.
func kill(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

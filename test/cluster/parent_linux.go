package cluster

import "syscall"

// dieWithParent ends the servers with a test process that was killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

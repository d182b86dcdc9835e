//go:build !unix

package authfile

import "os/exec"

// endGroup kills cmd alone when its context ends: this system has no process groups.
func endGroup(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Kill() }
}

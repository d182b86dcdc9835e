//go:build !unix

package authfile

import "os/exec"

// endGroup has no groups of processes here.
func endGroup(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Kill() }
}

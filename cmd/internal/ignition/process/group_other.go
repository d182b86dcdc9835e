//go:build !unix

package process

import "os/exec"

// Without process groups only the program itself is killed.
func ownGroup(*exec.Cmd)  {}
func killGroup(*exec.Cmd) {}

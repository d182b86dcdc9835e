//go:build !linux

package process_test

import "syscall"

func newSession() *syscall.SysProcAttr { return nil }

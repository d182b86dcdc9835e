package deploy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// enter makes this process what a container runtime makes of a container's first one, and runs the
// program in its place. It returns only if that fails.
func enter(c *container, args []string) error {
	runtime.LockOSThread() // all of this is about one thread, the one that runs the program
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if c.Root == "" {
		os.Exit(0) // only to see whether that can be done here
	}
	mount := func(from, to string, readOnly bool) error {
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil || !readOnly {
			return err
		}
		return unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	if err := mount(c.Root, c.Root, c.ReadOnly); err != nil {
		return fmt.Errorf("mounting the root: %w", err)
	}
	for to, from := range c.Volumes {
		if err := mount(from, filepath.Join(c.Root, to), true); err != nil {
			return fmt.Errorf("mounting %s: %w", to, err)
		}
	}
	if err := unix.Chroot(c.Root); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if c.NoCapabilities {
		for capability := uintptr(0); capability <= unix.CAP_LAST_CAP; capability++ {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil && err != unix.EINVAL { // an older kernel has fewer
				return fmt.Errorf("dropping capability %d: %w", capability, err)
			}
		}
	}
	for _, err := range []error{unix.Setgroups(nil), unix.Setresgid(c.GID, c.GID, c.GID), unix.Setresuid(c.UID, c.UID, c.UID)} {
		if err != nil {
			return err
		}
	}
	if c.NoNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	// A change of user ends that a process dies with its parent.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	return unix.Exec(args[0], args, os.Environ())
}

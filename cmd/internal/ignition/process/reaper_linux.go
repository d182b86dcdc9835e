package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Reaper kills what programs leave behind, also processes that have left the group of
// their program by a session of their own. The kernel gives this process every process
// below it whose parent has ended; what is a child of this process then, and none of the
// programs that run, was left behind.
//
// So a process that has a Reaper starts programs by this package alone. It is safe for
// concurrent use.
type Reaper struct {
	mu      sync.Mutex // held while a program is started: a child must not be seen before it is known
	running map[int]bool
}

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
const prSetChildSubreaper = 36

// NewReaper makes this process the one that inherits orphans.
func NewReaper() (*Reaper, error) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return nil, fmt.Errorf("inheriting what programs leave behind: %w", errno)
	}
	return &Reaper{running: make(map[int]bool)}, nil
}

// start calls start, which returns the id of the program that it started.
func (r *Reaper) start(start func() (pid int, err error)) error {
	if r == nil {
		_, err := start()
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := start()
	if err == nil {
		r.running[pid] = true
	}
	return err
}

// ended kills what a program that has ended left behind, and what that left behind in
// turn.
func (r *Reaper) ended(pid int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, pid)
	const tries = 200 // of 5 ms; a process that the kernel cannot end is given up
	for range tries {
		remaining := 0
		for _, child := range children() {
			if r.running[child] {
				continue
			}
			remaining++
			_ = syscall.Kill(child, syscall.SIGKILL)
			_, _ = syscall.Wait4(child, nil, syscall.WNOHANG, nil)
		}
		if remaining == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// children returns the ids of this process's children.
func children() (pids []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil && len(names) == 0 {
		return nil
	}
	self := os.Getpid()
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, err := parentOf(name); err == nil && parent == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf reads the fourth field of /proc/PID/stat (proc_pid_stat(5)); the second is a
// name in parentheses that may hold anything.
func parentOf(pid string) (int, error) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 2 {
		return 0, errors.New("not a stat file")
	}
	return strconv.Atoi(string(fields[1]))
}

package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Spec is a program to run.
type Spec struct {
	// Path is the program's file, absolute.
	Path string
	Args []string // without the program's name
	Dir  string   // to run it in
	// Env is the complete environment, "NAME=value"; nil is an empty one, not ours.
	Env []string
	// Limit is how long it may run; 0 is without a limit.
	Limit time.Duration
	// Output is how many bytes of its output are kept, the last ones; 0 is 16 KiB.
	Output int
	// Reaper, if not nil, kills what the program leaves behind outside of its group.
	Reaper *Reaper
}

// Error is a program that did not do what it should.
type Error struct {
	// Program is the name of the file, without its directory.
	Program string
	// Err is the cause: an [*exec.ExitError], a context error, or that it could not start.
	Err error
	// Limit is set where the time limit ended it.
	Limit time.Duration
	// Output is the end of what it printed, on both streams. It may hold anything
	// that the program knows, secrets too.
	Output string
}

// Error returns what went wrong, without the output.
func (e *Error) Error() string {
	if e.Limit > 0 {
		return fmt.Sprintf("%s: not done after %v", e.Program, e.Limit)
	}
	return e.Program + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Run runs a program to its end. The error is an [*Error]. When it returns, the
// program and its children have been killed.
func Run(ctx context.Context, s Spec) error {
	p, err := Start(ctx, s)
	if err != nil {
		return err
	}
	<-p.Done()
	return p.Err()
}

// Process is a running program.
type Process struct {
	spec   Spec
	cmd    *exec.Cmd
	out    *tail
	ctx    context.Context // its cause tells the limit from the caller
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done
}

var errLimit = errors.New("time limit")

// Start starts a program. It is killed when ctx ends, at the limit, and by Stop, which
// must be called in any case. The error is an [*Error].
func Start(ctx context.Context, s Spec) (*Process, error) {
	p := &Process{spec: s, out: newTail(cmp.Or(s.Output, 16<<10)), done: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(ctx)
	if s.Limit > 0 {
		inner, stop := context.WithTimeoutCause(p.ctx, s.Limit, errLimit)
		outer := p.cancel
		p.ctx, p.cancel = inner, func() { stop(); outer() }
	}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		p.cancel()
		return nil, &Error{Program: filepath.Base(s.Path), Err: err}
	}
	return p, nil
}

// run starts the program, says how that went, and waits for the end. The kernel takes
// the end of the thread that started a program for the end of its parent, so the thread
// is kept until the program has ended.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.start(); err != nil {
		started <- err
		return
	}
	started <- nil
	defer close(p.done)
	defer p.cancel()
	p.wait()
}

// start tries again while the file is "busy": another program that is being started
// at this moment may have inherited the descriptor through which the file was
// written (go.dev/issue/22315). That is over in no time.
func (p *Process) start() error {
	for attempt := time.Duration(1); ; attempt *= 2 {
		p.cmd = exec.CommandContext(p.ctx, p.spec.Path, p.spec.Args...)
		p.cmd.Dir = p.spec.Dir
		p.cmd.Env = append([]string{}, p.spec.Env...)
		p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
		p.cmd.WaitDelay = time.Second // what its children hold open is not waited for any longer
		p.cmd.SysProcAttr = attributes()
		p.cmd.Cancel = func() error {
			if err := kill(p.cmd); !errors.Is(err, syscall.ESRCH) {
				return err
			}
			return os.ErrProcessDone
		}
		err := p.spec.Reaper.start(func() (int, error) {
			if err := p.cmd.Start(); err != nil {
				return 0, err
			}
			return p.cmd.Process.Pid, nil
		})
		if !errors.Is(err, syscall.ETXTBSY) || attempt > 1<<9 {
			return err
		}
		select {
		case <-time.After(attempt * time.Millisecond):
		case <-p.ctx.Done():
			return context.Cause(p.ctx)
		}
	}
}

func (p *Process) wait() {
	err := p.cmd.Wait()
	_ = kill(p.cmd) // its children
	p.spec.Reaper.ended(p.cmd.Process.Pid)
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and only its children did not
	}
	if err == nil {
		return
	}
	e := &Error{Program: filepath.Base(p.spec.Path), Err: err, Output: p.out.String()}
	switch {
	case errors.Is(context.Cause(p.ctx), errLimit):
		e.Err, e.Limit = context.DeadlineExceeded, p.spec.Limit
	case p.ctx.Err() != nil:
		e.Err = p.ctx.Err()
	}
	p.err = e
}

// Done returns a channel that is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns why the program failed, an [*Error], or nil if it ended well. Call it once
// Done is closed.
func (p *Process) Err() error { return p.err }

// Output returns the end of what the program has printed so far.
func (p *Process) Output() string { return p.out.String() }

// Stop kills the program and its children and waits until they are gone. It may be
// called again.
func (p *Process) Stop() {
	p.cancel()
	<-p.done
}

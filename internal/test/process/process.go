// Package process starts programs for tests, keeps what they write in files, and
// ends them. It knows nothing of what they are.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Config is a program to start.
type Config struct {
	// Path of the program, and its arguments without its own name.
	Path string
	Args []string
	// Dir is the working directory.
	Dir string
	// Env is the whole environment; nil is that of the test.
	Env []string
	// Log is the file that its output is added to.
	Log string
}

// Process is a program that runs, or has ended. Its methods may be called from
// several goroutines.
type Process struct {
	name, log string
	cmd       *exec.Cmd
	done      chan struct{}
}

// Start starts a program. It ends with the test process, however that ends (on
// Linux; elsewhere only if somebody ends it).
func Start(cfg Config) (*Process, error) {
	out, err := os.OpenFile(cfg.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	p := &Process{name: filepath.Base(cfg.Path), log: cfg.Log, done: make(chan struct{})}
	p.cmd = exec.Command(cfg.Path, cfg.Args...)
	p.cmd.Dir, p.cmd.Env = cfg.Dir, environment(cfg.Env)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// Pid returns the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// raceOptions are for programs that are built with the race detector. By itself it has
// each of them sleep for a second before it exits, so that other goroutines have the
// time to report their races. That is longer than most of them run.
const raceOptions = "GORACE=atexit_sleep_ms=50"

// environment returns env, or that of the test where it is nil, with [raceOptions]
// unless it has some.
func environment(env []string) []string {
	if env == nil {
		env = os.Environ()
	}
	return append([]string{raceOptions}, env...) // of a variable that is there twice, the last one counts
}

// Done returns a channel that is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode returns that of a program that has ended, and -1 of one that runs or that a
// signal ended.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Kill ends the program at once and returns when it has ended.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Terminate asks the program to end. If it has not when ctx ends it is killed, and
// that is an error.
func (p *Process) Terminate(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s does not end when asked to: %w", p.name, ctx.Err()), p.Kill())
	}
}

// Output returns all that the program has written, together with what others wrote to
// the same file.
func (p *Process) Output() ([]byte, error) { return os.ReadFile(p.log) }

// Tail returns the end of the output, for a failing test.
func (p *Process) Tail() string { return Tail(p.name, p.log) }

// Tail returns the end of what name wrote to the file log.
func Tail(name, log string) string {
	data, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	if len(data) > most {
		data = data[len(data)-most:]
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return fmt.Sprintf("the end of what %s wrote:\n%s", name, data)
}
